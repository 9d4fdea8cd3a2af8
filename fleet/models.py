"""The site as the roles see it: typed, complete, checked, unchangeable."""

import ipaddress
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field, SecretStr, model_validator

from fleet.knobs import (
    Acme,
    Docker,
    Firewall,
    Images,
    Nvidia,
    Registry,
    Section,
    Ssh,
    Studio,
    Traefik,
    Wireguard,
)
from fleet.quantities import Address, Count, Domain, Endpoint, File, Number, Repository, Size, Text

REPO = Path(__file__).resolve().parent.parent
STATE = REPO / ".vibevoice"

T = TypeVar("T")


class Gateway(Section):
    """The host that the domain points to."""

    host: Endpoint = Field(description="its name, in pyinfra and for SSH")
    ssh: Ssh = Field(default=Ssh(), description="how it is reached")
    address: Address | None = Field(
        default=None, description="IP its public listeners bind and DNS points at; none: all addresses"
    )


class Node(Section):
    """A host with GPUs."""

    host: Endpoint = Field(description="its name, in pyinfra and for SSH")
    gpus: Count = Field(description="how many GPUs it has")
    gpu_memory: Size = Field(description="memory of each")
    ssh: Ssh = Field(default=Ssh(), description="how it is reached")
    wg_address: Address | None = Field(default=None, description="address on wg0; none: the next after .10")


class Project(Section):
    """A studio with its own address, users and GPUs."""

    name: Text = Field(description="DNS label of at most 30 characters; part of the URL")
    node: Text = Field(description="host of the node that holds it")
    gpus: Count = Field(description="how many GPUs; or name them in slots instead")
    slots: tuple[Number, ...] = Field(
        default=(), min_length=1, description="these GPUs, counted from 0 in PCI order"
    )
    model: Text = Field(description="name in the catalogue or in models")
    users: tuple[Text, ...] = Field(description="logins")

    @model_validator(mode="before")
    @classmethod
    def _count_slots(cls, data: Any) -> Any:
        """`slots` says how many GPUs as well, so that everyone can read `gpus`."""
        if isinstance(data, dict) and "gpus" not in data and isinstance(data.get("slots"), (list, tuple)):
            return {**data, "gpus": max(len(data["slots"]), 1)}
        return data


class Model(Section):
    """Weights on the hub, pinned by a lock file."""

    name: Text = Field(description="what projects call it")
    repo: Repository = Field(description="owner/name on the hub")
    revision: Text = Field(
        default="main", description="branch, tag or commit; in a loaded site the commit of its lock"
    )
    memory: Size = Field(description="GPU memory it needs to serve")
    lock: File = Field(
        default_factory=lambda read: REPO / "weights" / f"{read['name']}.lock.json",
        description="its lock file: revision, files, checksums; weights/<name>.lock.json",
    )


Member = Gateway | Node


class Site(Section):
    """Everything the roles may know; made by `fleet.site` or `fleet.load`, never by hand.

    file: the inventory. name: its stem. models: the catalogue's and the inventory's own.
    secrets: passwords by project and user.
    """

    name: Text
    file: Path
    domain: Domain
    acme: Acme
    gateway: Gateway
    nodes: tuple[Node, ...]
    projects: tuple[Project, ...] = ()
    models: tuple[Model, ...] = ()
    images: Images = Images()
    docker: Docker = Docker()
    nvidia: Nvidia = Nvidia()
    wireguard: Wireguard = Wireguard()
    firewall: Firewall = Firewall()
    studio: Studio = Studio()
    traefik: Traefik = Traefik()
    registry: Registry = Registry()
    known_hosts: File
    secrets_file: File
    secrets: dict[str, dict[str, SecretStr]] = Field(default_factory=dict)

    @property
    def members(self) -> list[Member]:
        """All hosts, the gateway first."""
        return [self.gateway, *self.nodes]

    @property
    def state_dir(self) -> Path:
        """Folder for what is derived from this site on the operator's machine; not in git."""
        return STATE / self.name

    def node(self, host: str) -> Node:
        """The node of that host name; KeyError if there is none."""
        return _named(self.nodes, "host", host)

    def project(self, name: str) -> Project:
        """The project of that name; KeyError if there is none."""
        return _named(self.projects, "name", name)

    def model(self, name: str) -> Model:
        """The model of that name; KeyError if there is none."""
        return _named(self.models, "name", name)

    def projects_on(self, host: str) -> list[Project]:
        """The projects held by a node, in inventory order."""
        return [project for project in self.projects if project.node == host]

    def wg_address(self, host: str) -> str:
        """The address of a host on wg0, without the network's length."""
        return wg_addresses(self.wireguard.network, self.gateway, self.nodes)[host]

    @property
    def wg_endpoint(self) -> str:
        """What a node dials to reach the gateway's WireGuard, `host:port`."""
        gateway = self.gateway
        host = self.wireguard.endpoint or gateway.address or gateway.ssh.address or gateway.host
        return f"[{host}]:{self.wireguard.port}" if ":" in host else f"{host}:{self.wireguard.port}"

    @property
    def registry_address(self) -> str:
        """The gateway's image registry as every host of the site names it, `10.88.0.1:5000`."""
        return f"{self.wg_address(self.gateway.host)}:{self.registry.port}"

    def url(self, project: str) -> str:
        """The project's public address, with its closing slash."""
        return f"https://{self.domain}/vibevoice/{project}/"

    def secret(self, project: str, user: str) -> str:
        """A user's password; KeyError if the site was loaded without it."""
        return self.secrets[project][user].get_secret_value()


def wg_addresses(network: ipaddress.IPv4Network, gateway: Gateway, nodes: Sequence[Node]) -> dict[str, str]:
    """Addresses on wg0 by host: the gateway's is the first, nodes follow from .11 on in their order."""
    first = int(network.network_address)
    own = {
        node.host: node.wg_address or str(ipaddress.IPv4Address(first + 11 + n))
        for n, node in enumerate(nodes)
    }
    return {gateway.host: str(ipaddress.IPv4Address(first + 1)), **own}


def _named(items: Sequence[T], key: str, value: str) -> T:
    for item in items:
        if getattr(item, key) == value:
            return item
    raise KeyError(value)

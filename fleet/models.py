"""The site as the roles see it: typed, complete, checked, unchangeable."""

import ipaddress
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, SecretStr, model_validator

from fleet.knobs import (
    Acme,
    Backup,
    Docker,
    Door,
    Firewall,
    Images,
    Limits,
    Nvidia,
    Operators,
    Registry,
    Section,
    Ssh,
    Studio,
    Traefik,
    Wireguard,
)
from fleet.quantities import (
    Address,
    Count,
    Domain,
    Endpoint,
    File,
    Flag,
    HttpsUrl,
    Number,
    Repository,
    Size,
    Text,
)

REPO = Path(__file__).resolve().parent.parent
STATE = REPO / ".vibevoice"

# Public keys only: with a shared secret whoever checks a token could make one.
Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]

STUDIOS_PORT = 8080

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
    users: tuple[Text, ...] = Field(default=(), description="names of those who may enter")
    groups: tuple[Text, ...] = Field(
        default=(),
        description='groups that may enter: "corp:podcast-team" of sign_on or issuers; "corp:*" is everybody',
    )
    shared: Flag = Field(
        default=False, description="True: everybody in it sees all jobs and voices, not only their own"
    )
    limits: Limits = Field(default=Limits(), description="what it may use")

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


class SignOn(Section):
    """An OpenID Connect provider that people sign on with; its client secret is a secret of [sign_on]."""

    name: Text = Field(description="short name, part of the URL and of its groups' names")
    label: Text | None = Field(default=None, description="words on the login page's button; none: the name")
    issuer: HttpsUrl = Field(description="the provider's issuer URL, exactly as in its discovery document")
    client_id: Text = Field(
        description="the client registered there; its address is https://<domain>/vibevoice/auth/<name>/callback"
    )
    scopes: tuple[Text, ...] = Field(
        default=("openid", "profile", "email"), min_length=1, description="what is asked for"
    )
    user_claim: Text = Field(default="email", description="claim that names a person")
    group_claim: Text = Field(default="groups", description="claim with the groups; dots lead into objects")
    ca: File | None = Field(default=None, description="PEM file that signs the provider; none: public")

    @property
    def words(self) -> str:
        """What the login page calls it."""
        return self.label or self.name


class Issuer(Section):
    """Whoever issues JSON Web Tokens that programs may enter with."""

    name: Text = Field(description="short name, part of its groups' names")
    issuer: HttpsUrl = Field(description="the tokens' iss")
    audience: Text = Field(description="the tokens' aud")
    jwks: HttpsUrl | None = Field(default=None, description="its public keys; none: by discovery")
    algorithms: tuple[Algorithm, ...] = Field(
        default=("RS256", "ES256", "EdDSA"), min_length=1, description="signatures that are believed"
    )
    user_claim: Text = Field(default="sub", description="claim that names the program")
    group_claim: Text = Field(default="groups", description="claim with the groups; dots lead into objects")
    ca: File | None = Field(default=None, description="PEM file that signs the issuer's HTTPS; none: public")


Member = Gateway | Node


class Site(Section):
    """Everything the roles may know; made by `fleet.site` or `fleet.load`, never by hand.

    file: the inventory. name: its stem. models: the catalogue's and the inventory's own.
    secrets: by group and name, such as "users" and "ana".
    """

    name: Text
    file: Path
    domain: Domain
    acme: Acme
    gateway: Gateway
    nodes: tuple[Node, ...]
    projects: tuple[Project, ...] = ()
    models: tuple[Model, ...] = ()
    sign_on: tuple[SignOn, ...] = ()
    issuers: tuple[Issuer, ...] = ()
    images: Images = Images()
    docker: Docker = Docker()
    nvidia: Nvidia = Nvidia()
    wireguard: Wireguard = Wireguard()
    firewall: Firewall = Firewall()
    operators: Operators = Operators()
    studio: Studio = Studio()
    traefik: Traefik = Traefik()
    door: Door = Door()
    registry: Registry = Registry()
    backup: Backup = Backup()
    known_hosts: File
    secrets_file: File
    secrets: dict[str, dict[str, SecretStr]] = Field(default_factory=dict)

    @property
    def members(self) -> list[Member]:
        """All hosts, the gateway first."""
        return [self.gateway, *self.nodes]

    @property
    def users(self) -> list[str]:
        """Everybody whom a project names, once, in the order of the inventory."""
        return list(dict.fromkeys(user for project in self.projects for user in project.users))

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

    def node_url(self, host: str) -> str:
        """Where a node's proxy serves its studios, on the private network."""
        return f"http://{self.wg_address(host)}:{STUDIOS_PORT}"

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

    def secret(self, group: str, name: str) -> str:
        """A secret, such as the password of ("users", "ana"); KeyError if the site has none."""
        return self.secrets[group][name].get_secret_value()

    def login(self, project: str) -> tuple[str, str]:
        """Name and password of somebody who may enter the project; KeyError if no password is known here."""
        known = self.secrets.get("users", {})
        for user in self.project(project).users:
            if user in known:
                return user, known[user].get_secret_value()
        raise KeyError(project)


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

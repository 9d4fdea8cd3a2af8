"""Knobs of every host: how it is reached, what runs below the site's own services, who may log in."""

from typing import Literal

from pydantic import Field

from fleet.knobs.section import Section
from fleet.quantities import Count, Endpoint, File, KeySource, Network, Port, Seconds, Text, Url


class Ssh(Section):
    """How one host is reached."""

    user: Text = Field(
        default="root", description="login; anyone but root works through sudo without a password"
    )
    port: Port = Field(default=22, description="TCP port of sshd; the firewall keeps this one open")
    key: File | None = Field(
        default=None, description="private key file; none: the agent and the usual ~/.ssh keys"
    )
    jump: Text | None = Field(
        default=None, description="host of this inventory to go through; none: straight"
    )
    address: Endpoint | None = Field(
        default=None, description="name or IP to dial where it is not the host's name"
    )


class Docker(Section):
    """Docker Engine of every host."""

    source: Literal["auto", "distribution", "docker"] = Field(
        default="auto",
        description="where Engine comes from; auto: the distribution's package where it knows CDI",
    )
    apt_url: Url = Field(
        default="https://download.docker.com/linux", description="Docker's package repository"
    )
    apt_key: KeySource = Field(
        default="https://download.docker.com/linux/debian/gpg",
        description="its signing key: a URL that the host fetches, or a file here",
    )
    mirrors: tuple[Url, ...] = Field(default=(), description="mirrors asked before Docker Hub")
    address_pool: Network = Field(
        default="10.201.0.0/16",
        validate_default=True,
        description="network that Docker cuts its /24 bridges from",
    )


class Nvidia(Section):
    """Driver and container toolkit of the GPU hosts."""

    branch: Count = Field(
        default=580, description="driver branch; changing it installs, reboots and verifies node by node"
    )
    apt_url: Url = Field(
        default="https://developer.download.nvidia.com/compute/cuda/repos",
        description="driver package repository",
    )
    apt_key: KeySource | None = Field(
        default=None,
        description="its signing key, URL or file here; none: the key in the repository of each release",
    )
    toolkit_url: Url = Field(
        default="https://nvidia.github.io/libnvidia-container/stable/deb",
        description="container toolkit repository",
    )
    toolkit_key: KeySource = Field(
        default="https://nvidia.github.io/libnvidia-container/gpgkey",
        description="its signing key, URL or file here",
    )
    toolkit_version: Text = Field(
        default="1.20.0-1", description="exact version; CVE-2026-24260 is fixed since 1.19.1"
    )


class Wireguard(Section):
    """The private network wg0 between gateway and nodes."""

    port: Port = Field(default=51820, description="UDP port of the gateway")
    network: Network = Field(
        default="10.88.0.0/24",
        validate_default=True,
        description="addresses: gateway .1, nodes .11, .12, … in order",
    )
    endpoint: Endpoint | None = Field(
        default=None, description="what nodes dial; none: the gateway's address or name"
    )
    keepalive_s: Seconds = Field(
        default=25, description="seconds between a node's keepalives, for those behind NAT"
    )


class Firewall(Section):
    """The site's own nftables table."""

    rollback_s: Count = Field(
        default=60, description="seconds until old rules return if SSH does not come back"
    )
    extra_tcp: tuple[Port, ...] = Field(
        default=(), description="further TCP ports to open to everyone on every host"
    )


class Operators(Section):
    """Who may log in to the hosts, besides root and the login of each `ssh`; ops/drift.py names others."""

    accounts: tuple[Text, ...] = Field(
        default=(), description="accounts of the hosts that may log in, and use sudo or Docker"
    )
    keys: tuple[Text, ...] = Field(
        default=(),
        description='fingerprints ("SHA256:…") of authorized keys, besides those this run comes with',
    )

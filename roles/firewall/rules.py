"""What may come in, by kind of host. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from fleet import Gateway, Member, Site
from fleet.models import STUDIOS_PORT
from steps.files import render

HTTP, HTTPS = 80, 443
METRICS = 8081


@dataclass(frozen=True)
class Private:
    """TCP ports open to one address or network on wg0."""

    source: str
    ports: tuple[int, ...]


def public_tcp(site: Site, member: Member) -> tuple[int, ...]:
    """TCP ports open to everyone."""
    own = (HTTP, HTTPS) if isinstance(member, Gateway) else ()
    return tuple(sorted({member.ssh.port, *own, *site.firewall.extra_tcp}))


def public_udp(site: Site, member: Member) -> tuple[int, ...]:
    """UDP ports open to everyone: nodes dial the gateway, never the other way round."""
    return (site.wireguard.port,) if isinstance(member, Gateway) else ()


def private(site: Site, member: Member) -> list[Private]:
    """What is open inside the private network: the registry to nodes, nodes to the gateway alone."""
    if isinstance(member, Gateway):
        return [Private(str(site.wireguard.network), (site.registry.port,))]
    return [Private(site.wg_address(site.gateway.host), (STUDIOS_PORT, METRICS))]


def rules(site: Site, member: Member) -> str:
    """The host's rules as nft reads them."""
    return render(
        "firewall/firewall.nft",
        tcp=public_tcp(site, member),
        udp=public_udp(site, member),
        private=private(site, member),
        containers=site.docker.address_pool,
    )

"""The private network as configuration: hub and spoke, by public keys. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from fleet import Gateway, Member, Site
from steps.files import render

# 1500 less IPv6, UDP and WireGuard headers is 1420; 40 less for clouds whose network carries 1460.
MTU = 1380
# Stands for the private key until the host itself puts it in.
KEY_HERE = "@PRIVATE_KEY@"
PEER = re.compile(r"^# (\S+)\n\[Peer\]\nPublicKey = (\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Peer:
    """The other end: its host, public key, the addresses it may use; an endpoint where we dial."""

    host: str
    key: str
    allowed: str
    endpoint: str = ""
    keepalive_s: int = 0


def peers_of(site: Site, member: Member) -> list[str]:
    """Hosts that this one talks to directly."""
    return [node.host for node in site.nodes] if isinstance(member, Gateway) else [site.gateway.host]


def config(site: Site, member: Member, keys: Mapping[str, str]) -> str:
    """wg0.conf of a host, `KEY_HERE` in place of its private key.

    Args:
        keys: public keys by host; a peer without one is left out until it has.
    """
    dials = not isinstance(member, Gateway)
    peers = [
        Peer(
            host=other,
            key=keys[other],
            allowed=f"{site.wg_address(other)}/32",
            endpoint=site.wg_endpoint if dials else "",
            keepalive_s=site.wireguard.keepalive_s,
        )
        for other in peers_of(site, member)
        if keys.get(other)
    ]
    return render(
        "wireguard/wg0.conf",
        address=f"{site.wg_address(member.host)}/{site.wireguard.network.prefixlen}",
        private_key=KEY_HERE,
        port=site.wireguard.port if isinstance(member, Gateway) else None,
        mtu=MTU,
        peers=peers,
    )


def known_keys(conf: str) -> dict[str, str]:
    """Public keys by host in a wg0.conf that `config` made."""
    return dict(PEER.findall(conf))


def needs_restart(before: str, after: str) -> bool:
    """Whether the interface itself changes, which `wg syncconf` cannot do."""
    return _interface(before) != _interface(after)


def _interface(conf: str) -> set[str]:
    return {line for line in conf.splitlines() if line.startswith(("Address", "MTU"))}

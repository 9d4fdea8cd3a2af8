"""Which ports of a host may listen, judged from what `ss` says. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from fleet import Gateway, Member, Site

SS = "ss -H -lntup"
# Clients whose sockets look like servers: DHCP, time, multicast names. The firewall lets nobody in to them.
CLIENTS = {68, 123, 323, 546, 5353, 5355}
# Sockets of a program that asks something by UDP get a port from here on; so does a node's WireGuard.
EPHEMERAL = 32768


@dataclass(frozen=True)
class Listener:
    """A listening socket: "tcp" or "udp", its address ("*" for all), port, and program where it is known."""

    protocol: str
    address: str
    port: int
    program: str = ""

    @property
    def loopback(self) -> bool:
        try:
            return ipaddress.ip_address(self.address).is_loopback
        except ValueError:
            return False


def read(lines: Iterable[str]) -> list[Listener]:
    """The rows of `ss -H -lntup`."""
    return [_row(line) for line in lines if line.startswith(("tcp", "udp"))]


def _row(line: str) -> Listener:
    columns = line.split()
    address, _, port = columns[4].rpartition(":")
    # "[::1]", "*", "0.0.0.0%lo", "[fe80::1]%eth0"
    address, _, interface = address.partition("%")
    program = line.split('(("', 1)[1].split('"', 1)[0] if '(("' in line else ""
    return Listener(columns[0], "127.0.0.1" if interface == "lo" else address.strip("[]"), int(port), program)


def declared(site: Site, member: Member) -> set[tuple[str, str, int]]:
    """(protocol, address, port) of what may listen; "*" is any address."""
    everywhere = {("tcp", "*", member.ssh.port), *(("tcp", "*", port) for port in site.firewall.extra_tcp)}
    private = site.wg_address(member.host)
    if isinstance(member, Gateway):
        public = member.address or "*"
        return everywhere | {
            ("tcp", public, 80),
            ("tcp", public, 443),
            ("udp", "*", site.wireguard.port),
            ("tcp", private, site.registry.port),
        }
    return everywhere | {("tcp", private, 8080), ("tcp", private, 8081)}


def unexpected(site: Site, member: Member, listeners: Iterable[Listener]) -> list[Listener]:
    """Listeners that others could reach and nobody declared."""
    allowed = declared(site, member)

    def fine(one: Listener) -> bool:
        if one.loopback or {(one.protocol, "*", one.port), (one.protocol, one.address, one.port)} & allowed:
            return True
        return one.protocol == "udp" and (one.port in CLIENTS or one.port >= EPHEMERAL)

    return [one for one in listeners if not fine(one)]

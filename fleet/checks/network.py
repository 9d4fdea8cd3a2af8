"""The private network, certificates, and ports."""

import ipaddress
import re
from collections.abc import Iterator

from fleet.draft import Draft
from fleet.knobs import Acme, Docker, Door, Registry, Studio, Wireguard
from fleet.mistakes import Report, counted
from fleet.models import Gateway, Node
from fleet.quantities import is_address

FIRST_NODE = 11
# The node proxy's and the metrics' ports on wg0 of every node, Traefik's dashboard on the gateway's.
PRIVATE_PORTS = {8080: "the studios' entry point", 8081: "metrics"}


def check(draft: Draft, report: Report) -> None:
    """Report networks that are too small or overlap, and settings that do not go together."""
    wireguard, docker = draft.sections["wireguard"], draft.sections["docker"]
    if wireguard is not None:
        _check_size(wireguard, draft, report)
        _check_members(wireguard, draft, report)
        _check_outside(wireguard, draft, report)
        if docker is not None:
            _check_apart(wireguard, docker, report)
    if draft.sections["acme"] is not None:
        _check_challenge(draft.sections["acme"], report)
    _check_registry(draft.sections["registry"], report)
    for section in ("studio", "door"):
        _check_image(section, draft.sections[section], report)


def _check_size(wireguard: Wireguard, draft: Draft, report: Report) -> None:
    last = FIRST_NODE + max(len(draft.nodes), 1) - 1
    if wireguard.network.num_addresses - 1 <= last:
        report.add(
            "wireguard.network",
            f"is {wireguard.network}, too small for {counted(len(draft.nodes), 'node')}: "
            f"addresses up to .{last} are needed. A /24 is usual.",
        )


def _check_members(wireguard: Wireguard, draft: Draft, report: Report) -> None:
    """Addresses that nodes name themselves must be free ones of the network."""
    network = wireguard.network
    taken: dict[object, str] = {network.network_address + 1: "the gateway"}
    for place, item in enumerate(draft.nodes):
        if item.value.wg_address is None:
            taken[network.network_address + FIRST_NODE + place] = item.key
    for item in draft.nodes:
        if item.value.wg_address is None:
            continue
        address, key = ipaddress.ip_address(item.value.wg_address), f"{item.key}.wg_address"
        ends = (network.network_address, network.broadcast_address)
        if address not in network or address in ends:
            report.add(key, f"is {address}, which no host can have in wireguard.network {network}.")
        elif address in taken:
            report.add(key, f"is {address}, but {taken[address]} has it. Choose another, or leave it out.")
        else:
            taken[address] = item.key


def _check_outside(wireguard: Wireguard, draft: Draft, report: Report) -> None:
    """Hosts must not be reached, nor listen, inside the network that only wg0 leads to."""
    for key, member in draft.hosts:
        for where, value in _own_addresses(member):
            if value and is_address(value) and ipaddress.ip_address(value) in wireguard.network:
                report.add(
                    "wireguard.network",
                    f"is {wireguard.network}, but {key}.{where} {value} lies in it. Choose another network.",
                )


def _own_addresses(member: Gateway | Node) -> Iterator[tuple[str, str | None]]:
    yield "host", member.host
    yield "ssh.address", member.ssh.address
    if isinstance(member, Gateway):
        yield "address", member.address


def _check_apart(wireguard: Wireguard, docker: Docker, report: Report) -> None:
    if wireguard.network.overlaps(docker.address_pool):
        report.add(
            "wireguard.network",
            f"is {wireguard.network}, which overlaps docker.address_pool {docker.address_pool}. Move one.",
        )
    if docker.address_pool.prefixlen > 24:
        report.add(
            "docker.address_pool", f"is {docker.address_pool}, too small: every project needs a /24 of it."
        )


def _check_challenge(acme: Acme, report: Report) -> None:
    if acme.challenge == "dns" and not acme.dns_provider:
        report.add(
            "acme.dns_provider", 'is missing, and challenge is "dns". Name the provider as Traefik does.'
        )
    if acme.challenge != "dns" and acme.dns_provider:
        report.add(
            "acme.dns_provider",
            f'is "{acme.dns_provider}", but challenge is "{acme.challenge}". Remove it, or choose "dns".',
        )


def _check_registry(registry: Registry | None, report: Report) -> None:
    if registry is not None and registry.port in PRIVATE_PORTS:
        report.add(
            "registry.port", f"is {registry.port}, but that is for {PRIVATE_PORTS[registry.port]} on wg0."
        )


def _check_image(key: str, section: Studio | Door | None, report: Report) -> None:
    image = section.external_image if section else None
    if image and not re.fullmatch(r"[^\s@]+@sha256:[0-9a-f]{64}", image):
        report.add(
            f"{key}.external_image",
            f'is "{image}", which does not say which image for good. Write it as name@sha256:<digest>.',
        )

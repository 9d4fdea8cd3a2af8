"""Hosts: each one once, and a way to reach it."""

from collections.abc import Mapping, Sequence

from fleet.draft import Draft
from fleet.mistakes import Report, guess
from fleet.models import Gateway, Node

Hosts = Sequence[tuple[str, Gateway | Node]]


def check(draft: Draft, report: Report) -> None:
    """Report hosts that appear twice and jumps that lead nowhere."""
    if not draft.nodes and "nodes" not in draft.incomplete:
        report.add("nodes", "is empty. Name at least one host with GPUs.")
    named = [(key, member) for key, member in draft.hosts if member.host]
    _check_twice(named, report)
    _check_addresses(named, report)
    _check_jumps(named, not draft.incomplete & {"gateway", "nodes"}, report)


def _check_twice(hosts: Hosts, report: Report) -> None:
    first: dict[str, str] = {}
    for key, member in hosts:
        other = first.setdefault(member.host.lower(), key)
        if other != key:
            report.add(f"{key}.host", f"is {member.host}, but so is {other}.host. Name every host once.")


def _check_addresses(hosts: Hosts, report: Report) -> None:
    """Behind different jump hosts one private address may well be two machines."""
    first: dict[tuple[str, int, str | None], str] = {}
    for key, member in hosts:
        if member.ssh.address is None:
            continue
        other = first.setdefault((member.ssh.address, member.ssh.port, member.ssh.jump), key)
        if other != key:
            report.add(
                f"{key}.ssh.address",
                f"is {member.ssh.address} port {member.ssh.port}, but so is {other}'s: that is one machine.",
            )


def _check_jumps(hosts: Hosts, complete: bool, report: Report) -> None:
    jumps = {member.host: member.ssh.jump for _, member in hosts}
    for key, member in hosts:
        jump = member.ssh.jump
        if jump is None:
            continue
        if jump not in jumps:
            if not complete:
                continue
            known = [host for host in jumps if host != member.host]
            hint = guess(jump, known, f"Known are {', '.join(known)}.")
            report.add(f"{key}.ssh.jump", f"is {jump}, which is no host of this inventory. {hint}")
        elif member.host in (path := _follow(member.host, jumps)):
            way = " → ".join([member.host, *path])
            report.add(f"{key}.ssh.jump", f"goes round in a circle ({way}). Reach one of them straight.")


def _follow(host: str, jumps: Mapping[str, str | None]) -> list[str]:
    """The hosts that lead to `host`, nearest first, until one is reached straight or comes again."""
    path: list[str] = []
    jump = jumps.get(host)
    while jump is not None and jump not in path:
        path.append(jump)
        jump = jumps.get(jump)
    return path

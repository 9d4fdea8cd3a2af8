"""Walls, ports and kernel settings of a host as they are in force, whatever its files say. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher

from fleet import Member, Site
from roles.drift.declared import Declared
from roles.drift.finding import Finding, deploy
from roles.drift.question import words
from roles.firewall import PROGRAM, RULES
from roles.verify import listening

TABLE = "table inet vibevoice"


def firewall(host: str, lines: Sequence[str]) -> list[Finding]:
    """Rules of the live table against those of the declared one, both in nft's own words."""
    live, wanted = _rules(words(lines, "live")), _rules(words(lines, "wanted"))
    load = f"{PROGRAM} load {RULES}, or {deploy(host)}"
    if not live:
        return [Finding("firewall rule", host, TABLE, "not loaded", "loaded", load)]
    if not wanted:
        remedy = "unshare and nft must work there"
        return [Finding("firewall rule", host, TABLE, "cannot be compared", "what is declared", remedy)]
    rows: list[tuple[str, str, str]] = []
    for tag, a, b, c, d in SequenceMatcher(a=wanted, b=live, autojunk=False).get_opcodes():
        if tag != "equal":
            rows += [(chain, rule, "absent") for chain, rule in live[c:d]]
            rows += [(chain, "absent", rule) for chain, rule in wanted[a:b]]
    return [Finding("firewall rule", host, *row, load) for row in rows]


def _rules(lines: Iterable[str]) -> list[tuple[str, str]]:
    """(chain, rule) in their order."""
    chain, found = "", []
    for line in map(str.strip, lines):
        if line.startswith(("chain ", "set ", "map ")):
            chain = line.removesuffix("{").strip()
            found.append((chain, "declared"))
        elif line and line != "}" and not line.startswith("table "):
            found.append((chain, line))
    return found


def ports(site: Site, member: Member, lines: Iterable[str]) -> list[Finding]:
    """What listens where others could reach it, and is not declared."""
    strangers = listening.unexpected(site, member, listening.read(lines))
    return [
        Finding(
            "extra listening port",
            member.host,
            f"{one.address}:{one.port}/{one.protocol}",
            f"{one.program or 'something'} listens",
            "nothing",
            "stop it, bind it to 127.0.0.1, or declare it in firewall.extra_tcp",
        )
        for one in strangers
    ]


def sysctl(host: str, declared: Declared, lines: Iterable[str]) -> list[Finding]:
    """Kernel settings that differ. One that the kernel does not have is none of ours."""
    live = dict(line.split(" = ", 1) for line in lines if " = " in line)
    return [
        Finding("sysctl", host, key, _value(live[key]), wanted, deploy(host))
        for key, wanted in declared.sysctl.items()
        if key in live and _value(live[key]) != wanted
    ]


def _value(text: str) -> str:
    return " ".join(text.split())

"""Drift: what a hand has changed on the hosts since the last deploy. Looks, and changes nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime

from pyinfra import host, state
from pyinfra.api import deploy, operation

from fleet import Member, Site
from roles.base import came_by_key
from roles.drift import certificate
from roles.drift.declared import declared
from roles.drift.finding import KINDS, Finding
from roles.drift.judge import Look, common, judge
from roles.drift.people import own_keys
from roles.drift.question import question, sections
from roles.versions.history import Version
from steps.answer import end_with, first, say, table
from steps.looking import Silent, ask
from steps.platform import PROBE, read

DRIFTED, UNREADABLE = 2, 1
ANSWER_WITHIN_S = 30

_looks: dict[str, Look] = {}
_silent: dict[str, str] = {}


@deploy("Drift")
def drift(site: Site, member: Member) -> None:
    """Compare every host with what is declared; exit code 2 for a difference, 1 for a host that is dead."""
    look(name="Look at every host", site=site, member=member)
    tell(name="Say what differs", site=site)


@operation()
def look(site: Site, member: Member):
    """Ask the host for everything at once, and keep its answer."""
    if not state.is_executing:
        return
    try:
        here = read(ask(PROBE))
        wanted = declared(site, member, here, came_by_key(host.data.dict()))
        parts = sections(ask(question(site, member, wanted), ANSWER_WITHIN_S))
        _looks[host.name] = Look(member, here, wanted, parts, own_keys(member))
    except Silent as reason:
        _silent[host.name] = str(reason)
    yield from ()


@operation()
def tell(site: Site):
    """Compare, print and set the exit code; on the first host alone."""
    if not state.is_executing or not first():
        return
    shared = common(site, _looks)
    found = [finding for one in _looks.values() for finding in judge(site, one, shared)]
    if gateway := _looks.get(site.gateway.host):
        own = certificate.obtained(gateway.part("acme"))
        found += certificate.findings(site, certificate.ask(site), own, datetime.now(UTC))
    order = {name: place for place, name in enumerate(one.host for one in site.members)}
    found.sort(key=lambda one: (order[one.host], KINDS.index(one.kind), one.what))
    _say(found, shared.returned)
    end_with(DRIFTED if found else UNREADABLE if _silent else 0)
    yield from ()


def _say(found: list[Finding], returned: Version | None) -> None:
    rows = [(one.kind, one.host, one.what, one.found, one.wanted, one.remedy) for one in found]
    columns = ("kind", "host", "what", "found", "wanted", "what to do")
    answer = {
        "drift": [asdict(one) for one in found],
        "looked_at": sorted(_looks),
        "unreachable": dict(sorted(_silent.items())),
        "returned_to": returned.action if returned else "",
    }
    say([*([table("Drift", columns, rows)] if rows else []), *_words(found, returned)], answer)


def _words(found: list[Finding], returned: Version | None) -> list[str]:
    said = [f"{name} could not be looked at: {reason}." for name, reason in sorted(_silent.items())]
    if returned:
        said.append(
            f"{returned.who} did a {returned.action} at {returned.at}: until the next deploy studios are "
            "compared with that."
        )
    if found:
        counted = Counter(one.kind for one in found)
        kinds = ", ".join(f"{number} {kind}" for kind, number in counted.items())
        return [*said, f"{len(found)} differences: {kinds}."]
    looked = ", ".join(sorted(_looks))
    return [*said, *([f"No drift: {looked} are as declared."] if _looks else [])]

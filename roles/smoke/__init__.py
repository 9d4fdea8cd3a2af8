"""The site asked from outside, once and at any time; nothing is changed, nothing spoken."""

from __future__ import annotations

import time

from pyinfra import host, state
from pyinfra.api import deploy, operation

from fleet import Member, Site, drained
from roles.door.containers import probe
from roles.smoke.checks import Check, run
from steps.answer import end_with, first, say, table
from steps.looking import Silent, ask

_keys: dict[str, str] = {}
# What nodes that are drained say of it.
_drained: dict[str, str] = {}
_notes: list[str] = []


@deploy("Smoke")
def smoke(site: Site, member: Member) -> None:
    """Say whether the site answers as it should; the run ends with 1 where it does not."""
    if member == site.gateway:
        keys(name="Ask the door for keys to the studios' health", site=site)
    else:
        marks(name="Look whether the node is drained")
    show(name="Ask the site from outside", site=site)


@operation()
def keys(site: Site):
    """A key for each project's readiness, good for two minutes; without one it is asked all the same."""
    if not state.is_executing:
        return
    try:
        lines = ask(probe([project.name for project in site.projects]))
        _keys.update(words for line in lines if len(words := tuple(line.split())) == 2)
        if not _keys and site.projects:
            _notes.append(f"No door on {host.name} gives keys: docker ps, docker logs vv-door-a.")
    except Silent as reason:
        _notes.append(f"{host.name} gives no keys to the studios' health: {reason}")
    yield from ()


@operation()
def marks():
    """Note that a node is out of service by its operator's will: its projects are not missing, they wait."""
    if not state.is_executing:
        return
    try:
        mark = drained.read("\n".join(ask(drained.LOOK)))
        if mark:
            _drained[host.name] = mark.words(time.time())
    except Silent:
        # Its projects are judged by what they answer.
        pass
    yield from ()


@operation()
def show(site: Site):
    """Ask, and print the answer, once."""
    if not state.is_executing or not first():
        return
    checks = run(site, _keys, _drained)
    ok = not any(check.wrong for check in checks)
    notes = [*_notes, *(f"{node} is {words}: its projects wait." for node, words in _drained.items())]
    answer = {"site": site.name, "ok": ok, "checks": [_row(check) for check in checks], "notes": notes}
    rows = [(check.what, check.where, "wrong" if check.wrong else "ok", check.wrong) for check in checks]
    last = "The site answers as it should." if ok else "The site does not answer as it should."
    say([table(f"https://{site.domain}", ("asked", "of", "", "what is wrong"), rows), *notes, last], answer)
    end_with(0 if ok else 1)
    yield from ()


def _row(check: Check) -> dict[str, str | bool]:
    return {"check": check.what, "where": check.where, "ok": not check.wrong, "wrong": check.wrong}

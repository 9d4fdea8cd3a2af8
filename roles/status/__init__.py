"""What the whole site looks like at this moment: one question to each host, all at once, and one answer."""

from __future__ import annotations

import time

import gevent
from pyinfra import host, state
from pyinfra.api import deploy, operation

from fleet import Member, Site, drained, outside
from fleet.outside import Certificate
from roles.lock import LOOK
from roles.status.facts import GPU_FIELDS, Seen, parse
from roles.status.report import report
from roles.status.tables import tables
from roles.studios.spec import PORT
from roles.versions.history import PATH as VERSIONS
from roles.watch import ALARMS
from steps.answer import end_with, first, say, table
from steps.files import render
from steps.looking import Silent, ask

TLS_WITHIN_S = 4

# What each host of this run has answered, or why it has not; complete once `look` is through on all.
_answers: dict[str, Seen | str] = {}
_certificate: list[Certificate | str] = []


@deploy("Status")
def status(site: Site, member: Member) -> None:
    """Say how hosts, GPUs, studios and projects are; the run ends with 1 where something is wrong."""
    look(name="Look at every host", site=site, member=member)
    show(name="Say what is there", site=site)


@operation()
def look(site: Site, member: Member):
    """Ask the host, and once for all hosts the certificate."""
    if not state.is_executing:
        return
    asking = gevent.spawn(outside.certificate, site, TLS_WITHIN_S) if first() else None
    _answers[host.name] = _ask(site)
    # A greenlet that has ended is false.
    if asking is not None:
        _certificate.append(asking.get())
    yield from ()


@operation()
def show(site: Site):
    """Print the answer, once."""
    if not state.is_executing or not first():
        return
    now = time.time()
    answer = report(site, _answers, _certificate[0], now)
    shown = [one if isinstance(one, str) else table(*one) for one in tables(answer, now)]
    say(shown, answer)
    end_with(0 if answer["ok"] else 1)
    yield from ()


def _ask(site: Site) -> Seen | str:
    script = render(
        "status/host.sh",
        gpu_fields=GPU_FIELDS,
        drained=drained.PATH,
        alarms=ALARMS,
        look_at_lock=LOOK,
        versions=VERSIONS,
        port=PORT,
    )
    try:
        return parse(ask(script), site.name)
    except Silent as reason:
        return str(reason)
    except (ValueError, KeyError) as error:
        return f"cannot be understood: {error}"

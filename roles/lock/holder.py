"""Who holds the site's lock, and the shell that takes it and looks at it. Pure."""

from __future__ import annotations

import json
import os
import shlex
import time
from dataclasses import asdict, dataclass

from fleet.operator import whoami
from steps.files import render

PATH = "/srv/vibevoice/lock"

# Shell that prints the lock's text while somebody holds it, and nothing else. The file itself stays for good:
# who removed it would leave two runs with a lock each.
LOOK = f"[ ! -s {PATH} ] || flock -n -s {PATH} true || cat {PATH}"


@dataclass(frozen=True)
class Holder:
    """A run that holds the lock.

    Args:
        owner: user@machine.
        pid: of the run, on that machine.
        since: seconds since the epoch.
        what: it does, such as "deploy" or "drain gpu-1".
    """

    owner: str
    pid: int
    since: float
    what: str

    def as_json(self) -> str:
        return json.dumps(asdict(self))


def me(what: str) -> Holder:
    """This very run."""
    return Holder(whoami(), os.getpid(), round(time.time(), 1), what)


def read(text: str) -> Holder | None:
    """The holder that the lock's text names; None where it names nobody."""
    try:
        found = json.loads(text)
        return Holder(str(found["owner"]), int(found["pid"]), float(found["since"]), str(found["what"]))
    except (ValueError, KeyError, TypeError):
        return None


def hold(mine: Holder, force: bool, path: str = PATH) -> str:
    """Shell that takes the lock and holds it until its standard input ends.

    It prints `ours`, or `held` and the lock's text; that has one key more, `holder`: the shell's process.

    Args:
        force: end whoever holds it.
    """
    # Open at its end: the shell adds its process.
    start = shlex.quote(mine.as_json().removesuffix("}"))
    return render("lock/hold.sh", path=shlex.quote(path), start=start, force=force)


def clock(since: float, now: float) -> str:
    """When that was, for a reader at `now`: "14:03 (12 min ago)", with the date if it is not today's."""
    then, today = time.localtime(since), time.localtime(now)
    form = "%H:%M" if then[:3] == today[:3] else "%d %b %H:%M"
    return f"{time.strftime(form, then)} ({max(0, round((now - since) / 60))} min ago)"


def refusal(current: Holder | None, now: float) -> str:
    """What the operator reads when the lock is held."""
    remedy = "Wait for it to end, or end it by --data break_lock=1."
    if current is None:
        return f"Somebody holds the site's lock ({PATH} does not say who). {remedy}"
    return (
        f"{current.owner} (process {current.pid}) holds the site's lock since {clock(current.since, now)}: "
        f"{current.what}. {remedy}"
    )

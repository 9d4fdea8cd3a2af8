"""Who holds the deploy lock, and whether it may be taken from them. Pure."""

from __future__ import annotations

import getpass
import json
import os
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Holder:
    """A deploy that holds the lock: `owner` (user@machine), its process there, seconds since the epoch."""

    owner: str
    pid: int
    since: float

    def as_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)


def me() -> Holder:
    """This very deploy."""
    return Holder(f"{getpass.getuser()}@{socket.gethostname()}", os.getpid(), round(time.time(), 1))


def read(text: str) -> Holder | None:
    """The holder that a lock file names; None where there is none, or nothing readable."""
    try:
        found = json.loads(text)
        return Holder(str(found["owner"]), int(found["pid"]), float(found["since"]))
    except (ValueError, KeyError, TypeError):
        return None


def alive(pid: int) -> bool:
    """Whether that process of this machine is still a deploy, and not another one that got its number."""
    try:
        done = subprocess.run(
            ["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
    except OSError:
        # Without ps, better respect a dead deploy than disturb a living one.
        return True
    return "pyinfra" in done.stdout


def may_take(current: Holder, mine: Holder, is_alive: Callable[[int], bool] = alive) -> bool:
    """Whether a held lock is only the remains of a deploy that ended without unlocking."""
    if current.owner != mine.owner:
        return False
    return current.pid == mine.pid or not is_alive(current.pid)


def refusal(current: Holder | None, now: float) -> str:
    """What the operator reads when the lock is held."""
    if current is None:
        return (
            "The lock /srv/vibevoice/lock cannot be read. If nobody deploys, "
            "run again with --data break_lock=1."
        )
    minutes = max(0, round((now - current.since) / 60))
    return (
        f"{current.owner} (process {current.pid}) has been deploying for {minutes} min. Wait for it to end; "
        "if it never will, run again with --data break_lock=1."
    )

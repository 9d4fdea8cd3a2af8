"""One run at a time changes the lab."""

from __future__ import annotations

import fcntl
import sys

from lab.paths import RUN

_held: list = []


def hold() -> None:
    """Take the lab's lock until this process ends; ends the process when somebody else has it."""
    if _held:
        return
    RUN.mkdir(parents=True, exist_ok=True)
    file = (RUN / "lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit("another run brings the lab up or down just now: wait for it, then run this again")
    _held.append(file)

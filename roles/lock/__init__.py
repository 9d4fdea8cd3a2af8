"""One run at a time: a lock on the gateway that dies with the connection of the run that holds it.

    lock(site, member, what="drain gpu-1")
    …
    unlock(site, member)

Both on every host of the run, also where the gateway is not among them. A dry run takes nothing, and neither
counts as a change: what an operation yields counts as one, so these yield nothing but a refusal.
"""

from __future__ import annotations

import time
from typing import Any

from pyinfra import host, inventory, state
from pyinfra.api import deploy, operation
from pyinfra.api.exceptions import ConnectError, PyinfraError
from pyinfra.api.state import BaseStateCallback

from fleet import Member, Site
from roles.lock.connection import Broken, Grip, Taken
from roles.lock.holder import LOOK, PATH, Holder, clock, hold, me, read, refusal
from steps.options import flag
from steps.refusal import refuse

__all__ = ["LOOK", "PATH", "Holder", "clock", "lock", "lost", "read", "unlock"]

_grip: Grip | None = None
_watched = False


@deploy("Lock")
def lock(site: Site, member: Member, what: str = "deploy") -> None:
    """Take the site's lock, or refuse and say who has it since when. No change where it is ours already.

    From then on no operation of this run begins once the lock is lost.

    Args:
        what: the run does, for whoever is refused.
    """
    take(name="Take the site's lock", site=site, what=what, force=flag("break_lock"))


@deploy("Lock")
def unlock(site: Site, member: Member) -> None:
    """Give the lock back: at the end of a run, or before the gateway is rebooted."""
    release(name="Give the site's lock back", site=site)


def lost() -> str:
    """Why this run must not go on; empty while its lock holds, and where it took none.

    Asked before each operation. An operation that goes on for long asks between its own steps.
    """
    if _grip is None or not _grip.lost:
        return ""
    return (
        "This run has lost the site's lock: its connection to the gateway has ended, or another run "
        "has ended it by --data break_lock=1. Nothing more is changed. See who holds it (ops/status.py), "
        "then run again."
    )


@operation()
def take(site: Site, what: str, force: bool):
    """Take the lock, once for all hosts; fail the run where another one has it."""
    global _grip
    if not state.is_executing or not _speaks(site) or (_grip and not _grip.lost):
        return
    try:
        _grip = Grip(inventory.get_host(site.gateway.host), hold(me(what), force))
    except Taken as taken:
        yield refuse(refusal(read(str(taken)), time.time()))
    except ConnectError as error:
        yield refuse(f"No lock without the gateway: {error.args[0]}")
    except Broken as broken:
        yield refuse(f"{site.gateway.host} does not give the lock {PATH}: {broken}")
    else:
        _stop_when_lost()


@operation()
def release(site: Site):
    """Give back what `take` took."""
    global _grip
    if state.is_executing and _grip and _speaks(site):
        _grip.let_go()
        _grip = None
    yield from ()


def _speaks(site: Site) -> bool:
    """True on one host of the run: the gateway, or the first where the run is limited to others."""
    active = [one.name for one in state.inventory.get_active_hosts()]
    return host.name == (site.gateway.host if site.gateway.host in active else active[0])


def _stop_when_lost() -> None:
    global _watched
    if not _watched:
        _watched = True
        state.add_callback_handler(_Watch())


class _Watch(BaseStateCallback):
    @staticmethod
    def operation_start(state: Any, op_hash: str) -> None:
        if reason := lost():
            raise PyinfraError(reason)

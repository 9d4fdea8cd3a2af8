"""One deploy at a time: a lock on the gateway, taken before the first change and given back at the end.

Lock and unlock happen inside an operation that yields no command. What an operation yields counts as a
change, so a lock made of commands would make a run without changes report two; and pyinfra plans by running
operations up to their first command, so a lock made of facts alone would be taken by a dry run. Hence:
nothing while planning, and while executing a question whose asking takes the lock.
"""

from __future__ import annotations

import shlex
import time

from pyinfra import host, state
from pyinfra.api import FactBase, deploy, operation

from fleet import Member, Site
from roles.lock.holder import Holder, may_take, me, read, refusal
from steps.refusal import refuse

PATH = "/srv/vibevoice/lock"


class Taken(FactBase[str]):
    """Take the lock; what is in it now: our own text if it was free (or said `instead`), or its holder's."""

    def command(self, text: str, instead: str, force: bool) -> str:
        # noclobber makes the shell open the file with O_EXCL: of two deploys one wins. A take-over happens
        # only if the lock still says what was judged, under flock(1): two judges cannot both replace it.
        stale = f'[ "$(cat {PATH} 2>/dev/null)" = {shlex.quote(instead)} ]' if instead else "false"
        replace = "true" if force else stale
        script = (
            f"mkdir -p -m 755 {PATH.rpartition('/')[0]}; exec 9>{PATH}.guard; flock -w 10 9 || exit 1; "
            f"if {replace}; then rm -f {PATH}; fi; "
            f"( set -C; printf '%s\\n' {shlex.quote(text)} > {PATH} ) 2>/dev/null; cat {PATH}"
        )
        return f"sh -c {shlex.quote(script)}"

    @staticmethod
    def default() -> str:
        return ""

    def process(self, output: list[str]) -> str:
        return "\n".join(output).strip()


class Released(FactBase[bool]):
    """Give the lock back where it is still ours."""

    def command(self, text: str) -> str:
        script = f'[ "$(cat {PATH} 2>/dev/null)" != {shlex.quote(text)} ] || rm -f {PATH}; echo done'
        return f"sh -c {shlex.quote(script)}"

    def process(self, output: list[str]) -> bool:
        return output == ["done"]


_mine: Holder | None = None


@deploy("Lock")
def lock(site: Site, member: Member) -> None:
    """Take the deploy lock on the gateway, or refuse and say who has it."""
    take(name="Take the deploy lock", force=bool(host.data.get("break_lock")))


@deploy("Lock")
def unlock(site: Site, member: Member) -> None:
    """Give the deploy lock back."""
    release(name="Give the deploy lock back")


@operation()
def take(force: bool):
    """Take the lock; fail the host, and with it the run, where another deploy has it."""
    global _mine
    if not state.is_executing:
        return
    mine = me()
    found = host.get_fact(Taken, text=mine.as_json(), instead="", force=force)
    holder = read(found)
    if holder is not None and holder != mine and may_take(holder, mine):
        found = host.get_fact(Taken, text=mine.as_json(), instead=found, force=False)
        holder = read(found)
    if holder != mine:
        yield refuse(refusal(holder, time.time()))
        return
    _mine = mine


@operation()
def release():
    """Remove the lock that `take` took."""
    if state.is_executing and _mine is not None:
        host.get_fact(Released, text=_mine.as_json())
    yield from ()

"""Nodes out of service and back: their studios hand over and stop, and nothing starts them meanwhile.

A file on the node is the mark. Docker starts no container that was stopped by hand, so the node stays drained
over reboots; the deploy, the verification and what heals at boot look for the mark.
"""

# pyinfra types the first positional argument of every verb as `_sudo`; at run time they are ours.
# pyright: reportCallIssue=false

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterable
from typing import Any

from pyinfra import host, inventory, logger, state
from pyinfra.api import FactBase, FunctionCommand, deploy, operation
from pyinfra.api.exceptions import NestedOperationError

from fleet import Node, Site, names
from fleet.drained import LOOK, PATH, Mark, mine, read
from roles.studios import studios
from steps.asking import ask
from steps.files import File, write
from steps.options import Mistake
from steps.refusal import complain, refuse
from steps.shell import Output

# What the nodes of this run said of themselves; others are asked for.
_noted: dict[str, Mark | None] = {}


class MarkFact(FactBase[Mark | None]):
    """The node's mark; None where it serves."""

    def command(self) -> str:
        return LOOK

    @staticmethod
    def default() -> Mark | None:
        return None

    def process(self, output: Iterable[str]) -> Mark | None:
        return read("\n".join(output))


def chosen(site: Site, name: str) -> Node:
    """The node of that name.

    Raises:
        Mistake: there is none.
    """
    nodes = [node.host for node in site.nodes]
    if name not in nodes:
        wrong = f"{name} is no node of {site.file.name}." if name else "Which node?"
        raise Mistake(f"{wrong} Say --data host=… with one of: {', '.join(nodes)}.")
    return site.node(name)


def within_limit(site: Site, node: Node) -> Node:
    """The node itself.

    Raises:
        Mistake: this run is limited to others, and would end well without having touched it.
    """
    if node.host not in [one.name for one in state.inventory.get_active_hosts()]:
        raise Mistake(
            f"{node.host} is not in --limit, so nothing would be done to it. "
            f"Say --limit {site.gateway.host} --limit {node.host}, or leave --limit out."
        )
    return node


@deploy("Drain")
def drain(site: Site, node: Node, why: str) -> None:
    """Take a node out of service: its jobs are saved and wait, its projects show the waiting page."""
    leave(name="Mark the node and stop its studios", site=site, node=node, why=why)


@deploy("Undrain")
def undrain(site: Site, node: Node) -> None:
    """Put a node back into service, once its studios' engines are ready."""
    come_back(name="Start the node's studios and remove the mark", site=site, node=node)


@operation()
def leave(site: Site, node: Node, why: str):
    """Mark the node, then stop its studios: each hands its jobs over at their last saved frame."""
    mark = host.get_fact(MarkFact)
    answers, said = ask(host, running(site))
    names = [word for word in said.split() if word.startswith("vv-")] if answers else []
    if mark is None:
        # Before anything stops: whatever starts studios again looks for it first.
        yield write([File(PATH, mine(why).as_json() + "\n")])
    if not answers and state.is_executing:
        # Containers outlive their daemon: what cannot be asked for may well be speaking.
        yield refuse(f"Docker does not answer, so no studio was stopped: {said}\nSee journalctl -u docker.")
        return
    if names:
        yield f"docker stop {shlex.join(names)} >/dev/null"
    if mark is not None and not names:
        host.noop("the node is drained")
    if state.is_executing:
        now = mark or mine(why)
        since = "was already" if mark else "is"
        say(f"{since} {now.words(time.time())}; {stopped(site, node)}")


@operation(_set_in_op=False)
def come_back(site: Site, node: Node):
    """Have the node's studios as the inventory wants them, ready, and the mark gone.

    Where one does not become ready the node is drained again, as it was.
    """
    if host.get_fact(MarkFact) is None:
        if state.is_executing:
            say("is not drained.")
        return
    yield FunctionCommand(serve_again, (), {"site": site, "node": node})


def serve_again(state: Any, host: Any, site: Site, node: Node) -> bool:
    """Remove the mark and start; put the mark back and stop where that fails."""
    mark = host.get_fact(MarkFact)
    host.get_fact(Output, script=f"rm -f {PATH}")
    try:
        # Not simply what was there before: the inventory may have changed meanwhile.
        studios(site, node)
    except Exception as error:
        mark_again(host, mark or mine("its studios do not become ready"))
        stop_all(host, site)
        complain(
            host,
            f"Stays drained, its studios do not become ready: {reason(error)}. Repair, then undrain again.",
        )
        return False
    say("serves again.")
    return True


def mark_again(host: Any, mark: Mark) -> None:
    """Write a mark over whatever there is, without an operation of its own."""
    text = shlex.quote(mark.as_json())
    host.get_fact(Output, script=f"printf '%s\\n' {text} > {PATH}.vv-new && mv -f {PATH}.vv-new {PATH}")


def stop_all(host: Any, site: Site) -> None:
    """Stop every studio of the node, without an operation of its own."""
    host.get_fact(Output, script=f"docker stop $({running(site)})")


def running(site: Site) -> str:
    """Shell that prints the names of the node's running studios."""
    mine = names.studios_filter(site.name)
    return f"docker ps {mine} --format '{{{{.Names}}}}'"


@operation()
def note(site: Site, node: Node):
    """Keep in mind whether the node is drained, and say so: its projects are not missing, they wait."""
    if not state.is_executing:
        return
    mark = _noted[host.name] = host.get_fact(MarkFact)
    if mark is not None:
        back = command(site, f"ops/undrain.py --data host={host.name}")
        say(f"is {mark.words(time.time())}; {stopped(site, node)} Back: {back}")
    yield from ()


def drained(site: Site) -> dict[str, Mark]:
    """The drained nodes, also those that this run is not about."""
    for node in site.nodes:
        other = inventory.get_host(node.host)
        if node.host not in _noted and other is not None:
            try:
                _noted[node.host] = other.get_fact(MarkFact)
            except Exception:
                # A node that cannot be asked is judged by what its projects answer.
                _noted[node.host] = None
    return {name: mark for name, mark in _noted.items() if mark is not None}


def stopped(site: Site, node: Node) -> str:
    """What a drained node means for the site, a sentence."""
    projects = [project.name for project in site.projects_on(node.host)]
    if not projects:
        return "no project is held by it."
    verb = "shows" if len(projects) == 1 else "show"
    return f"{', '.join(projects)} {verb} the waiting page, jobs wait."


def command(site: Site, words: str) -> str:
    """What the operator types for a command of this site."""
    return f"pyinfra -y {os.path.relpath(site.file)} {words}"


def reason(error: Exception) -> str:
    """What went wrong, in words; of a step that failed, and has said why, its name."""
    if isinstance(error, NestedOperationError):
        names = state.get_op_meta(error.args[0]).names
        return f"{' and '.join(sorted(names))} failed, as said above"
    return str(error)


def say(message: str) -> None:
    """A line for the operator, with the host's name before it."""
    host.log_styled(message, fg="yellow", log_func=logger.info)

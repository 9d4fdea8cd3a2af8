"""The logs of a project's studios, or of the site's services, of all hosts as one."""

from __future__ import annotations

import shlex

from pyinfra import host, state
from pyinfra.api import deploy, operation

from fleet import Member, Site
from roles.logs.lines import Line, merge, parse
from roles.logs.wish import Wish
from steps.answer import end_with, first, say
from steps.files import render
from steps.looking import Silent, ask

# Beyond that a line is no line of ours; an exception of the engine's has its place.
WIDTH = 20_000
EACH_S, WITHIN_S = 8, 45

_lines: dict[str, list[Line]] = {}
_silent: dict[str, str] = {}


@deploy("Logs")
def logs(site: Site, member: Member, wish: Wish) -> None:
    """Show the lines that are wished for; the run ends with 1 where a host could not be asked."""
    if member.host in wish.hosts:
        look(name="Read the logs", site=site, wish=wish)
    show(name="Show them", site=site, wish=wish)


@operation()
def look(site: Site, wish: Wish):
    """Read the host's share."""
    if not state.is_executing:
        return
    try:
        _lines[host.name] = parse(host.name, ask(script(site, wish), within_s=WITHIN_S))
    except Silent as reason:
        _silent[host.name] = str(reason)
    yield from ()


@operation()
def show(site: Site, wish: Wish):
    """Print all of it, once."""
    if not state.is_executing or not first():
        return
    shown, more = merge(_lines.values(), wish.lines)
    words = [line.words for line in shown] or [nothing(site, wish)]
    notes = [f"{name} is not among them: {why}." for name, why in _silent.items()]
    if more:
        notes.append(f"The newest {wish.lines} lines; more by --data lines=N, others by --data since=30m.")
    answer = {"lines": [line.row for line in shown], "more": more, "silent": _silent}
    say(["\n".join(words), *notes], answer)
    end_with(1 if _silent else 0)
    yield from ()


def nothing(site: Site, wish: Wish) -> str:
    """That there is no line, and where there may be one: a project's studios are on one host alone."""
    home = site.project(wish.project).node if wish.project else ""
    elsewhere = f" {wish.project} is on {home}." if home and home not in wish.hosts else ""
    return f"There is no such line.{elsewhere}"


def script(site: Site, wish: Wish) -> str:
    """The shell that prints the lines of one host."""
    if wish.studios:
        labels = [f"vibevoice.site={site.name}", "vibevoice.project"]
        if wish.project:
            labels[1] = f"vibevoice.project={wish.project}"
        filters = [f"label={label}" for label in labels]
    else:
        filters = [f"name=^{name}$" for name in wish.containers]
    return render(
        "logs/host.sh",
        filters=" ".join(f"--filter {shlex.quote(one)}" for one in filters),
        since=f"--since {wish.since_s}s" if wish.since_s is not None else "",
        # A job's lines are somewhere among the others.
        tail="" if wish.job else f"--tail {wish.lines}",
        pick=f"grep -F -e {shlex.quote(wish.job)} |" if wish.job else "",
        lines=wish.lines,
        width=WIDTH,
        seconds=EACH_S,
    )

"""What operators do with people: look, invite, end. Asked of a door that runs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

from pyinfra import state
from pyinfra.api import FunctionCommand, operation
from rich.console import Console
from rich.table import Table

from fleet import Site, names
from roles.door.containers import ask
from steps.refusal import complain, refuse
from steps.shell import Output

SILENT = f"No door answers. On the gateway: docker ps, docker logs {names.DOORS[0]}. Or deploy again."


@operation()
def show():
    """Print who may enter, with what, and when they last did."""
    yield FunctionCommand(_show, (), {})


@operation()
def invite(site: Site, user: str):
    """Print a link by which the user sets a password; it works once, for a few days."""
    if user in site.secrets.get("users", {}):
        # What is written there is what counts, deploy after deploy.
        yield refuse(
            f"{user}'s password is set in {site.secrets_file} or the environment. Change it there and "
            "deploy, or remove it there, deploy, and invite."
        )
        return
    yield from _known(site, user) or [FunctionCommand(_invite, (), {"user": user, "site": site})]


@operation()
def end(site: Site, user: str):
    """End all sessions and keys of a user."""
    yield from _known(site, user, also_signed_on=True) or [FunctionCommand(_end, (), {"user": user})]


def _known(site: Site, user: str, also_signed_on: bool = False) -> list[FunctionCommand]:
    """A refusal, where nobody of that name can be meant."""
    if user in site.users or (also_signed_on and ":" in user) or not state.is_executing:
        return []
    return [refuse(f"{site.file} has no user {user}. There are: {', '.join(site.users) or 'none'}.")]


def _show(state: Any, host: Any) -> bool:
    said = host.get_fact(Output, script=ask("people"))
    if not said:
        return complain(host, SILENT)
    table = Table(
        "name", "password", "projects", "sessions", "keys", "last login (UTC)", box=None, pad_edge=False
    )
    for row in _rows(json.loads(said)["people"]):
        table.add_row(*row)
    Console(file=sys.stdout, highlight=False, emoji=False).print(table)
    return True


def _rows(people: list[dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    for one in people:
        yield (
            one["name"],
            one["password"] or "-",
            " ".join(one["projects"]),
            str(one["sessions"]),
            str(one["keys"]),
            # The door writes it down once an hour.
            one["last_login"][:13].replace("T", " ") + " h" if one["last_login"] else "never",
        )


def _invite(state: Any, host: Any, user: str, site: Site) -> bool:
    link = host.get_fact(Output, script=ask("invite", user)).strip()
    if not link:
        return complain(host, SILENT)
    print(f"{user} sets a password at\n\n    {link}\n\nwithin {site.door.invite_hours} hours. It works once.")
    return True


def _end(state: Any, host: Any, user: str) -> bool:
    if not host.get_fact(Output, script=f"{ask('end', user)} && echo done").strip().endswith("done"):
        return complain(host, SILENT)
    print(f"{user} is logged out everywhere, and has no key any more.")
    return True

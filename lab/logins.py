"""The lab's passwords: random, made once, the same after every new start."""

from __future__ import annotations

import secrets
import tomllib
from pathlib import Path

from lab.paths import SECRETS, SITE_SECRETS
from lab.topology import LOGINS

Table = dict[str, dict[str, str]]


def complete() -> bool:
    """Whether every login of the lab has its password where the inventory looks for it."""
    return _merged(fresh=False) == _read(SITE_SECRETS) == _read(SECRETS)


def write() -> None:
    """Give every login a password, keep those there are, and put them beside the inventory.

    What somebody added to the file by hand (a third project) stays.
    """
    table = _merged(fresh=True)
    for path in (SECRETS, SITE_SECRETS):
        _write(path, table)


def passwords() -> Table:
    """``{project: {user: password}}`` as the site gets them."""
    return _read(SITE_SECRETS)


def _merged(fresh: bool) -> Table:
    table: Table = {}
    for source in (_read(SECRETS), _read(SITE_SECRETS)):
        for project, users in source.items():
            table.setdefault(project, {}).update(users)
    for project, users in LOGINS.items():
        for user in users:
            if user not in table.get(project, {}):
                table.setdefault(project, {})[user] = secrets.token_urlsafe(15) if fresh else ""
    return table


def _read(path: Path) -> Table:
    return tomllib.loads(path.read_text()) if path.exists() else {}


def _write(path: Path, table: Table) -> None:
    sections = [
        f"[{project}]\n" + "".join(f'{user} = "{password}"\n' for user, password in users.items())
        for project, users in table.items()
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.touch(mode=0o600)
    new.chmod(0o600)
    new.write_text("\n".join(sections))
    new.replace(path)

"""The lab's passwords: random, made once, the same after every new start."""

from __future__ import annotations

import secrets
import tomllib
from pathlib import Path

from fleet import whole
from lab.paths import SECRETS, SITE_SECRETS
from lab.topology import LOGINS

Table = dict[str, dict[str, str]]

GROUPS = ("users", "dashboard", "acme", "sign_on", "backup")
# What backups are encrypted with, and what their storage asks for.
BACKUP = ("password", "REST_PASSWORD")


def complete() -> bool:
    """Whether every login of the lab has its password where the inventory looks for it."""
    return _merged(fresh=False) == _read(SITE_SECRETS) == _read(SECRETS)


def write() -> None:
    """Give every login a password, keep those there are, and put them beside the inventory.

    What somebody added to the file by hand (a third project's user) stays.
    """
    table = _merged(fresh=True)
    for path in (SECRETS, SITE_SECRETS):
        _write(path, table)


def passwords() -> dict[str, str]:
    """``{user: password}`` as the site gets them."""
    return _read(SITE_SECRETS).get("users", {})


def of_backups() -> dict[str, str]:
    """`{name: secret}` of the backups and their storage."""
    return _read(SECRETS).get("backup", {})


def _merged(fresh: bool) -> Table:
    table: Table = {"users": {}, "backup": {}}
    for source in (_read(SECRETS), _read(SITE_SECRETS)):
        for group, secrets_ in source.items():
            # Earlier labs had a password for each project.
            if group in GROUPS:
                table.setdefault(group, {}).update(secrets_)
    people = sorted({user for users in LOGINS.values() for user in users})
    for group, names in {"users": people, "backup": BACKUP}.items():
        for name in names:
            if name not in table[group]:
                table[group][name] = secrets.token_urlsafe(15) if fresh else ""
    return table


def _read(path: Path) -> Table:
    return tomllib.loads(path.read_text()) if path.exists() else {}


def _write(path: Path, table: Table) -> None:
    sections = [
        f"[{group}]\n" + "".join(f'{name} = "{secret}"\n' for name, secret in names.items())
        for group, names in table.items()
    ]
    whole.write(path, "\n".join(sections), mode=0o600)

"""Passwords: from the environment, or from inventory/<site>.secrets.toml, never from the inventory."""

import os
import re
import stat
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from fleet.mistakes import Report, guess, near

SHORTEST = 12
# bcrypt, which the dashboard's logins use, reads no further than this many bytes.
LONGEST = 72

Table = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Wanted:
    """A secret of the site: whose, and the inventory key that asks for it.

    password: typed by a person, so judged. required: the site cannot do without it.
    """

    group: str
    user: str
    key: str
    password: bool = True
    required: bool = True

    @property
    def variable(self) -> str:
        """Name of the environment variable that may hold it."""
        return "VV_SECRET_" + re.sub(r"[^A-Z0-9]", "_", f"{self.group}_{self.user}".upper())


def gather(wanted: Iterable[Wanted], whole: bool, file: Path, report: Report) -> dict[str, dict[str, str]]:
    """The secrets asked for, those of the environment first; what is missing or weak is reported.

    whole: whether `wanted` is all there is, so that anything else in the file is a mistake.
    """
    wanted = list(wanted)
    table = read(file, report)
    if table is not None and whole:
        _report_strangers(table, wanted, file, report)
    _report_shared_variables(wanted, report)
    found: dict[str, dict[str, str]] = {}
    for one in wanted:
        secret = os.environ.get(one.variable) or (table or {}).get(one.group, {}).get(one.user)
        if secret:
            found.setdefault(one.group, {})[one.user] = secret
            _judge(one, secret, report)
        elif table is not None and one.required:
            report.add(
                one.key,
                f"has no secret for {one.user}. Set {one.variable} in the environment, or "
                f'{_key(one.user)} = "…" below [{one.group}] in {near(file)}.',
            )
    return found


def read(file: Path, report: Report) -> Table | None:
    """The file's tables; empty if there is no file, None if it cannot be used."""
    if not file.exists():
        return {}
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & 0o077:
        report.add(
            near(file), f"has mode {mode:04o}, so others can read the secrets. Run chmod 600 {near(file)}."
        )
        return None
    try:
        tables = tomllib.loads(file.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        report.add(near(file), f"cannot be read as TOML: {error}.")
        return None
    wrong = [name for name, table in tables.items() if not _is_table(table)]
    for name in wrong:
        report.add(f"{near(file)}: [{name}]", 'must be a table of user = "secret" lines.')
    return None if wrong else tables


def _key(user: str) -> str:
    """A user as a key of TOML, where a bare dot would begin another table."""
    return f'"{user}"' if "." in user else user


def _is_table(table: object) -> bool:
    return isinstance(table, dict) and all(isinstance(value, str) for value in table.values())


def _judge(one: Wanted, secret: str, report: Report) -> None:
    where = f"{one.group}/{one.user}: the secret"
    if not secret.isprintable():
        report.add(one.key, f"({where}) holds a line break or another character that cannot be typed.")
    if not one.password:
        return
    if len(secret) < SHORTEST:
        report.add(one.key, f"({where}) has {len(secret)} characters; {SHORTEST} are the least.")
    if len(secret.encode()) > LONGEST:
        report.add(one.key, f"({where}) has more than {LONGEST} bytes, more than a login takes.")


def _report_strangers(table: Table, wanted: list[Wanted], file: Path, report: Report) -> None:
    for group, users in table.items():
        known = {one.user for one in wanted if one.group == group}
        if not known:
            groups = {one.group for one in wanted}
            people = {one.user for one in wanted if one.group == "users"}
            # That is how it was when a password opened one project.
            by_project = "A person has one password for all projects: move it below [users]."
            hint = by_project if users.keys() & people else guess(group, groups, "Remove it.")
            report.add(f"{near(file)}: [{group}]", f"belongs to nothing here. {hint}")
            continue
        for user in users.keys() - known:
            hint = guess(user, known, "Remove it, or add the name to the inventory.")
            report.add(f"{near(file)}: [{group}] {user}", f"is nobody there. {hint}")


def _report_shared_variables(wanted: list[Wanted], report: Report) -> None:
    """`a-b`/`c` and `a`/`b-c` read one variable: whoever set it cannot have meant both."""
    first: dict[str, Wanted] = {}
    for one in wanted:
        other = first.setdefault(one.variable, one)
        if other is not one and one.variable in os.environ:
            report.add(
                one.key,
                f"and {other.key} both read {one.variable}. Put these secrets into the secrets file instead.",
            )

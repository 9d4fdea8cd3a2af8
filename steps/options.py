"""What a command is told by `--data key=value`, and the end of a command that is told nonsense."""

from __future__ import annotations

from collections.abc import Mapping

from pyinfra import host
from pyinfra.api.exceptions import PyinfraError

# What each command may be told. A key that it does not know would be passed over, and the command would do
# the most that it can: a rollback of the whole site instead of one project.
KEYS: Mapping[str, tuple[str, ...]] = {
    "deploy.py": ("purge_data", "break_lock"),
    "ops/backup.py": ("project", "json"),
    "ops/drain.py": ("host", "why", "break_lock"),
    "ops/drift.py": ("json",),
    "ops/logs.py": ("project", "job", "since", "lines", "host", "service", "json"),
    "ops/move.py": ("project", "to", "break_lock"),
    "ops/restore.py": ("project", "snapshot", "list", "overwrite", "json", "break_lock"),
    "ops/rollback.py": ("project", "to", "break_lock"),
    "ops/smoke.py": ("json",),
    "ops/status.py": ("json",),
    "ops/undrain.py": ("host", "break_lock"),
    "ops/upgrade.py": ("what", "break_lock"),
    "ops/user.py": ("user", "do"),
}
# pyinfra's own, for every command: how hosts are reached.
PYINFRA_KEYS = ("ssh_", "_")


class Mistake(PyinfraError):
    """The command line asks for what cannot be: the run ends with this line, before anything is done."""


def option(name: str) -> str:
    """The words of `--data name=…`; empty where it is not given.

    Not `host.data.get`: that answers some names (`host`) from itself.
    """
    value = host.data.dict().get(name)
    # pyinfra makes a number of 0, which is an answer.
    return "" if value is None else str(value)


def flag(name: str) -> bool:
    """Whether `--data name=1` is given, or any other word that says yes."""
    return option(name).lower() not in ("", "0", "false", "no")

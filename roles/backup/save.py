"""A backup, now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from pyinfra import state
from pyinfra.api import FunctionCommand, operation

from fleet.quantities import show_size
from roles.backup.config import SCRIPT
from roles.backup.said import ask, complain
from roles.backup.snapshots import Summary, summary
from steps.answer import first, say, table

_made: list[Summary] = []


@operation()
def save(kinds: Sequence[str]):
    """Back up each of what a host has."""
    for kind in kinds:
        yield FunctionCommand(_save, (), {"kind": kind})


@operation()
def tell(site: str):
    """Say what was backed up, once for all hosts."""
    if state.is_executing and first():
        rows = [_row(one) for one in _made]
        columns = ("what", "host", "snapshot", "files", "size", "new", "seconds")
        say([table("Backups", columns, rows)], {"site": site, "backups": [asdict(one) for one in _made]})
    yield from ()


def _save(state: Any, host: Any, kind: str) -> bool:
    said = ask(host, f"{SCRIPT} save {kind}")
    if not said.well:
        return complain(host, said.complaint)
    _made.append(summary(kind, host.name, said.output))
    return True


def _row(one: Summary) -> list[str]:
    sizes = [show_size(one.bytes), show_size(one.added)]
    return [one.kind, one.host, one.snapshot, str(one.files), *sizes, f"{one.seconds:.1f}"]

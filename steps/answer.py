"""What a command of ops/ answers: tables, or with `--data json=1` one JSON object, on standard output.

pyinfra's own messages go to standard error, so that `… ops/status.py --data json=1 2>/dev/null | jq` works.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from pyinfra import host, state
from rich.console import Console
from rich.table import Table

from steps.commandline import end_with
from steps.options import flag

__all__ = ["Rows", "asks_for_json", "end_with", "first", "say", "table"]

PIPE_WIDTH = 1000

Rows = Sequence[Sequence[str]]


def asks_for_json() -> bool:
    """Whether the operator wants JSON (`--data json=1`)."""
    return flag("json")


def first() -> bool:
    """True on exactly one host of the run: what is said once for all is said there."""
    return next(iter(state.inventory.get_active_hosts())) is state.inventory.get_host(host.name)


def table(title: str, columns: Sequence[str], rows: Rows) -> Table:
    """A plain table, its title above it; a cell is text, never markup."""
    made = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in columns:
        # Folded in a narrow terminal, never cut: half a name is of no use.
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*row)
    return made


def say(tables: Sequence[Table | str], answer: Mapping[str, Any]) -> None:
    """Print the tables, an empty line between them; or `answer`, where JSON was asked for."""
    if asks_for_json():
        print(json.dumps(answer, indent=2, default=str), flush=True)
        return
    # A file or a pipe has no width.
    width = None if sys.stdout.isatty() else PIPE_WIDTH
    console = Console(file=sys.stdout, width=width, highlight=False, emoji=False, markup=False)
    for place, one in enumerate(tables):
        if place:
            console.print()
        console.print(one, soft_wrap=isinstance(one, str))
    sys.stdout.flush()

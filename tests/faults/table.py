"""The table of faults: what each may cost, what it did cost, kept in reports/faults.json."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from tests.box.lab import REPORTS
from tests.box.traffic import KINDS

REPORT = REPORTS / "faults.json"


@dataclass(frozen=True)
class Fault:
    """Something that befalls the site, and what it may cost besides lost or doubled generations: none, ever.

    Args:
        name: for the table.
        unnoticed: no request may fail.
        back_within_s: from its beginning to full service; where a host reboots, from the host's return.
    """

    name: str
    unnoticed: bool = False
    back_within_s: float = 120.0


@dataclass(frozen=True)
class Row:
    """What a fault did cost.

    Args:
        sent, failed: requests by kind.
        jobs: accepted generations. lost, doubled: what is wrong with which.
        continued: event streams that were told to come back and did, as the protocol says.
        found_closed: kept connections that were closed while nothing was asked on them.
        seconds: from the fault's beginning to full service, 0 if no request failed.
        after_return_s: the same from a rebooted host's return.
    """

    fault: str
    sent: Mapping[str, int]
    failed: Mapping[str, int]
    jobs: int
    lost: list[str]
    doubled: list[str]
    continued: int
    found_closed: int
    seconds: float
    after_return_s: float | None = None
    device: str = field(default_factory=lambda: device())
    at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))


def device() -> str:
    """Where this was measured."""
    with open("/proc/cpuinfo") as file:
        models = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    return f"lab on {os.cpu_count()} cores ({models[0] if models else platform.machine()}), tiny model"


_measured: list[str] = []


def record(row: Row) -> None:
    """Put it into the report, in place of an earlier one of the same fault."""
    REPORTS.mkdir(exist_ok=True)
    others = [one for one in _read() if one["fault"] != row.fault]
    REPORT.write_text(json.dumps([*others, asdict(row)], indent=2) + "\n")
    _measured.append(row.fault)


def show() -> None:
    """Print the rows of this run."""
    rows = [row for row in _read() if row["fault"] in _measured]
    if not rows:
        return
    console = Console(width=None if Console().is_terminal else 140, highlight=False)
    made = Table(title=f"Faults; {rows[-1]['device']}; {rows[-1]['at'][:10]}", title_justify="left")
    made.add_column("fault")
    for name in (*KINDS, "lost", "doubled", "full service after"):
        made.add_column(name, justify="right")
    for row in rows:
        failed = [f"{row['failed'].get(kind, 0)} of {row['sent'].get(kind, 0)}" for kind in KINDS]
        made.add_row(
            row["fault"],
            *failed,
            f"{len(row['lost'])} of {row['jobs']}",
            str(len(row["doubled"])),
            _seconds(row),
        )
    console.print()
    console.print(made)


def _seconds(row: Mapping[str, object]) -> str:
    after = row["after_return_s"]
    return f"{row['seconds']} s" + (f" ({after} s after the host's return)" if after is not None else "")


def _read() -> list[dict]:
    return json.loads(REPORT.read_text()) if REPORT.exists() else []

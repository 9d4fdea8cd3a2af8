"""Backups and restores, as an operator runs them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.box.deploy import Deploy, Run


def run(operations: str, log: str, env: Mapping[str, str] | None = None, /, **choices: str | int) -> Run:
    """ops/backup.py or ops/restore.py with ``--data`` for each choice, to its end, whatever that is."""
    data = [word for name, value in choices.items() for word in ("--data", f"{name}={value}")]
    return Deploy("-y", *data, operations=f"ops/{operations}.py", log=log, env=env).wait()


def back_up(log: str, **choices: str) -> list[dict[str, Any]]:
    """The backups that were made; AssertionError if any failed."""
    made = run("backup", log, json=1, **choices)
    assert made.code == 0, made.tail
    return json.loads(made.stdout)["backups"]


def restore(log: str, **choices: str | int) -> dict[str, Any]:
    """What was restored; AssertionError if it was refused."""
    done = run("restore", log, json=1, **choices)
    assert done.code == 0, done.tail
    return json.loads(done.stdout)

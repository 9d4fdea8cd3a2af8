"""A script that may fail, from within a function of a run: whether it did, and what it said."""

from __future__ import annotations

import shlex
from typing import Any

from pyinfra.api import FactBase

_END = "vv-exit-code"


class Answer(FactBase[tuple[bool, str]]):
    """(whether the script ended with 0, everything it printed)."""

    def command(self, script: str) -> str:
        return f"sh -c {shlex.quote(script)} 2>&1; code=$?; echo; echo {_END} $code"

    def process(self, output: list[str]) -> tuple[bool, str]:
        code = next((line.split()[1] for line in reversed(output) if line.startswith(f"{_END} ")), "255")
        said = "\n".join(line for line in output if not line.startswith(f"{_END} "))
        return code == "0", said.strip()


def ask(host: Any, script: str) -> tuple[bool, str]:
    """Run a script on a host of the run, as root; (whether it ended with 0, everything it printed)."""
    return host.get_fact(Answer, script=script)

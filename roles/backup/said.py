"""Shell programs whose words and exit code are wanted: what restic and the restores have to say."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any

from pyinfra import logger
from pyinfra.api import StringCommand

from steps import refusal


@dataclass(frozen=True)
class Said:
    """How a program ended: well or not, what it printed, and what it complained of."""

    well: bool
    output: str
    complaint: str


def ask(host: Any, script: str) -> Said:
    """Run a shell script on a host, to its end."""
    # Under sudo where the host's login is not root, as all commands of a run are.
    sudo = bool(host.data.get("_sudo"))
    command = StringCommand("sh", "-c", shlex.quote(script))
    well, output = host.run_shell_command(command, _sudo=sudo)
    return Said(well, output.stdout, output.stderr)


def complain(host: Any, words: str) -> bool:
    """Say what went wrong on a host; False, for an operation that ends with it."""
    return refusal.complain(host, words.strip() or "It failed, and said nothing.")


def remark(host: Any, words: str) -> None:
    """Say on a host what is good to know."""
    for line in words.strip().splitlines():
        host.log(line, logger.warning)

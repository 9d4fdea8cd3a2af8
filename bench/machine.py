"""What a figure was measured on; a figure without it means nothing."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from tests.box.lab import REPO


def machine(command: str) -> dict[str, str]:
    """Device, date, versions and command of a measurement."""
    return {
        "command": command,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": f"{os.cpu_count()} cores {_cpu()}, {_memory_gib()} GiB",
        "system": f"{_os()}, Linux {platform.release()}",
        "versions": f"Python {platform.python_version()}, pyinfra {version('pyinfra')}, "
        f"commit {_commit()}",
    }  # fmt: skip


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "?")


def _memory_gib() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)


def _os() -> str:
    lines = Path("/etc/os-release").read_text().splitlines()
    fields = dict(line.split("=", 1) for line in lines if "=" in line)
    return fields.get("PRETTY_NAME", "?").strip('"')


def _commit() -> str:
    argv = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(argv, cwd=REPO, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "?"

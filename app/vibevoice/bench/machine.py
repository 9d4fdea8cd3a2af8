"""What a figure was measured on; a figure without it means nothing."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch


def machine(command: str, device: torch.device) -> dict[str, str]:
    """Device, date, versions and command of a measurement."""
    return {
        "command": command,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": name(device),
        "threads": f"{torch.get_num_threads()}, load before {os.getloadavg()[0]:.1f}",
        "system": f"{_system()}, Linux {platform.release()}",
        "versions": ", ".join(
            [
                f"Python {platform.python_version()}",
                *(f"{package} {_version(package)}" for package in ("torch", "transformers", "diffusers")),
                *([f"CUDA {torch.version.cuda}"] if device.type == "cuda" else []),
                f"commit {_commit()}",
            ]
        ),
    }


def name(device: torch.device) -> str:
    """A GPU's name and memory, or the cores' and the main memory."""
    if device.type == "cuda":
        gpu = torch.cuda.get_device_properties(device)
        return f"{gpu.name}, {gpu.total_memory / 2**30:.0f} GiB"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "?")
    return f"{len(os.sched_getaffinity(0))} cores {model}, {memory:.0f} GiB"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def _system() -> str:
    lines = Path("/etc/os-release").read_text().splitlines()
    fields = dict(line.split("=", 1) for line in lines if "=" in line)
    return fields.get("PRETTY_NAME", "?").strip('"')


def _commit() -> str:
    argv = ["git", "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(argv, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    except FileNotFoundError:  # an image has neither git nor history
        return "?"
    return done.stdout.strip() or "?"

"""Which revision of this repository a run is made from."""

from __future__ import annotations

import subprocess
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]


def revision(folder: Path = REPO) -> tuple[str, bool]:
    """The commit's short hash, and whether the files differ from it; ("", False) where there is no git."""
    try:
        head = _git(folder, "rev-parse", "--short=10", "HEAD")
        return head, bool(_git(folder, "status", "--porcelain"))
    except (OSError, subprocess.CalledProcessError):
        return "", False


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True, timeout=30
    )
    return done.stdout.strip()

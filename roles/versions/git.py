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


def lacks(commit: str, folder: Path = REPO) -> bool:
    """Whether the files here are without that commit: it is not known, or of another branch.

    False where nobody can tell: there is no git, or no history but the last commit (a shallow clone).
    """
    try:
        if not commit or _git(folder, "rev-parse", "--is-shallow-repository", "HEAD").startswith("true"):
            return False
    except (OSError, subprocess.CalledProcessError):
        return False
    try:
        _git(folder, "merge-base", "--is-ancestor", commit, "HEAD")
    except subprocess.CalledProcessError:
        return True
    return False


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True, timeout=30
    )
    return done.stdout.strip()

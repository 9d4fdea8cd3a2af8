"""Programs that check our files, taken out of their Debian packages: nothing is installed, nothing starts."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from lab.internet import debian
from lab.paths import INTERNET

PROGRAMS = INTERNET / "programs"


def dockerd() -> Path:
    """Debian 13's dockerd; Debian 12's knows no --validate."""
    return _unpacked("trixie", "docker.io") / "usr/sbin/dockerd"


def sshd() -> Path:
    """Debian 12's sshd."""
    return _unpacked("bookworm", "openssh-server") / "usr/sbin/sshd"


def complaints(argv: Sequence[str | Path], text: str | None = None) -> str:
    """What a program has to say against a file; empty where it accepts it."""
    done = subprocess.run(
        [str(word) for word in argv], input=text, capture_output=True, text=True, check=False
    )
    return "" if done.returncode == 0 else f"exit code {done.returncode}: {done.stdout}{done.stderr}"


def _unpacked(release: str, package: str) -> Path:
    tree = PROGRAMS / f"{package}-{release}"
    if not tree.exists():
        debian.download(release, [package], PROGRAMS)
        archive = next(PROGRAMS.glob(f"{package}_*.deb"))
        new = tree.with_suffix(".new")
        subprocess.run(["dpkg-deb", "-x", str(archive), str(new)], check=True)
        archive.unlink()
        new.replace(tree)
    return tree

"""The model hub's place in the lab: one tiny checkpoint of the real architecture, in the Hub's URL layout."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

from fleet.locks import Lock, LockedFile
from lab import process
from lab.internet.cache import command, fresh, keep, key
from lab.paths import INTERNET, REPO
from lab.topology import MACHINE

PORT = 8102
URL = f"http://{MACHINE}:{PORT}"
MODEL = "lab/VibeVoice-tiny"
HOME = INTERNET / "hub"
LOCK = HOME / "tiny.lock.json"

_FILES = HOME / MODEL
_APP = REPO / "app"
_PYTHON = REPO / ".venv-app" / "bin" / "python"
_RECIPE = tuple(_APP / "vibevoice" / name for name in ("tiny.py", "requirements.lock", "torch.txt"))
_SERVER = Path(__file__).with_name("hub_server.py")


def settled() -> bool:
    """Whether the checkpoint is what today's script makes, and is being served."""
    return process.alive("hub") and fresh(_FILES, key(_RECIPE)) and LOCK.exists()


def ensure() -> bool:
    """Make the checkpoint and its lock file where they are not up to date, and serve them."""
    made = keep(_FILES, key(_RECIPE), _make)
    if made or not LOCK.exists():
        _write_lock()
    argv = [sys.executable, str(_SERVER), str(HOME), str(LOCK), MACHINE, str(PORT)]
    version = key(_SERVER, LOCK)
    return process.start("hub", argv, listens=(MACHINE, PORT), version=version) or made


def _make(folder: Path) -> None:
    quiet = {**os.environ, "PYTHONPATH": str(_APP), "HF_HUB_OFFLINE": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    command("nice", _PYTHON, "-m", "vibevoice.tiny", folder, env=quiet)


def _write_lock() -> None:
    files = tuple(_locked(path) for path in sorted(_FILES.rglob("*")) if _is_of_the_model(path))
    # The real Hub's revision is a git commit; here it is a name for exactly this content.
    content = "\n".join(f"{file.sha256} {file.path}" for file in files)
    Lock(repo=MODEL, revision=hashlib.sha1(content.encode()).hexdigest(), files=files).write(LOCK)


def _is_of_the_model(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".")


def _locked(path: Path) -> LockedFile:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return LockedFile(path=str(path.relative_to(_FILES)), size=path.stat().st_size, sha256=digest)

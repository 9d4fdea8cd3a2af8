"""Folders of files over HTTP."""

from __future__ import annotations

import sys
from pathlib import Path

from lab import process
from lab.topology import MACHINE


def serve(name: str, folder: Path, port: int) -> bool:
    """Serve ``folder`` on the lab's network; returns whether the server had to be started."""
    options = ["--bind", MACHINE, "--protocol", "HTTP/1.1", "--directory", str(folder)]
    argv = [sys.executable, "-m", "http.server", *options, str(port)]
    return process.start(name, argv, listens=(MACHINE, port))

"""Where the lab's site keeps its backups: off its hosts, as a restic REST server, which rclone is.

What lies there is encrypted by the hosts, and outlives the lab: a site that is made anew may be restored.
"""

from __future__ import annotations

import json

from lab import logins, process
from lab.internet.cache import key
from lab.paths import INTERNET
from lab.topology import MACHINE

PORT = 8104
USER = "lab"
HOME = INTERNET / "backups"
NEEDS = ("rclone",)


_SERVED = HOME / "served"


def settled() -> bool:
    """Whether the storage is being served to those who know today's password."""
    return process.alive("storage") and _SERVED.exists() and _SERVED.read_text() == _version()


def ensure() -> bool:
    """Serve the storage, to whoever knows its password."""
    # What other passwords encrypted is of no use to anybody.
    folder = HOME / _version()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    login = {"RCLONE_USER": USER, "RCLONE_PASS": logins.of_backups()["REST_PASSWORD"]}
    argv = ["rclone", "serve", "restic", "--addr", f"{MACHINE}:{PORT}", str(folder)]
    # It has no configuration of its own, and shall not read anybody's.
    env = {**login, "RCLONE_CONFIG": "/dev/null"}
    started = process.start("storage", argv, listens=(MACHINE, PORT), env=env)
    _SERVED.write_text(_version())
    return started


def _version() -> str:
    """Tells today's secrets from others."""
    return key(json.dumps(logins.of_backups(), sort_keys=True))[:12]

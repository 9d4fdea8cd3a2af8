"""Where the lab's site keeps its backups: off its hosts, as a restic REST server, which rclone is.

What lies there is encrypted by the hosts, and outlives the lab: a site that is made anew may be restored.
"""

from __future__ import annotations

from lab import logins, process
from lab.paths import INTERNET
from lab.topology import MACHINE

PORT = 8104
USER = "lab"
HOME = INTERNET / "backups"
NEEDS = ("rclone",)


def settled() -> bool:
    """Whether the storage is being served."""
    return process.alive("storage")


def ensure() -> bool:
    """Serve the storage, to whoever knows its password."""
    HOME.mkdir(parents=True, exist_ok=True, mode=0o700)
    login = {"RCLONE_USER": USER, "RCLONE_PASS": logins.of_backups()["REST_PASSWORD"]}
    argv = ["rclone", "serve", "restic", "--addr", f"{MACHINE}:{PORT}", str(HOME)]
    # It has no configuration of its own, and shall not read anybody's.
    env = {**login, "RCLONE_CONFIG": "/dev/null"}
    return process.start("storage", argv, listens=(MACHINE, PORT), env=env)

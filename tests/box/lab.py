"""What the lab says of itself (`python -m lab info`), typed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[2]
INVENTORY = REPO / "inventory" / "lab.py"
REPORTS = REPO / "reports"


@dataclass(frozen=True)
class Login:
    """A project's address and one of its users."""

    project: str
    url: str
    user: str
    password: str

    @property
    def auth(self) -> tuple[str, str]:
        """What requests wants."""
        return self.user, self.password


@dataclass(frozen=True)
class Lab:
    """A running lab: names, addresses, keys, logins; ``users`` are all passwords by name."""

    domain: str
    gateway_ip: str
    ca_root: Path
    ssh_config: Path
    hosts: dict[str, str]
    logins: dict[str, Login]
    users: dict[str, str]

    def login(self, project: str, user: str) -> Login:
        """Anybody at a project's address, also who has no business there."""
        return Login(project, self.logins[project].url, user, self.users[user])


def describe() -> Lab:
    """The lab of this machine. Raises AssertionError, with the lab's own words, where there is none."""
    facts: dict[str, Any] = json.loads(command("info"))
    return Lab(
        domain=facts["domain"],
        gateway_ip=facts["gateway_ip"],
        ca_root=Path(facts["ca_root"]),
        ssh_config=Path(facts["ssh_config"]),
        hosts=facts["hosts"],
        logins={name: Login(name, **login) for name, login in facts["projects"].items()},
        users=facts["users"],
    )


def command(*arguments: str, limit_s: float = 180.0, env: Mapping[str, str] | None = None) -> str:
    """What `python -m lab ARGUMENTS` prints; AssertionError, with its words, if it fails."""
    argv = [sys.executable, "-m", "lab", *arguments]
    whole = {**os.environ, **(env or {})}
    done = subprocess.run(
        argv, cwd=REPO, env=whole, capture_output=True, text=True, timeout=limit_s, check=False
    )
    assert done.returncode == 0, f"python -m lab {' '.join(arguments)}: {done.stderr or done.stdout}"
    return done.stdout

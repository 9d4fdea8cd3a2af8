"""Taking the lab down leaves the machine as it was; the next start brings back hosts and site."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from lab import cgroup, process
from tests.box.fixtures import Logins
from tests.box.lab import REPO
from tests.box.web import answers

pytestmark = pytest.mark.thorough


def make(target: str) -> None:
    argv = ["make", "-s", target]
    done = subprocess.run(argv, cwd=REPO, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, f"make {target}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"


def output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def lab_again(logins: Logins, web: requests.Session) -> Iterator[None]:
    """Whatever happens to the lab in a test: it and its site are up again after it."""
    yield
    make("lab")  # with the deploy: a new Pebble is a new authority, and the gateway needs its certificate
    for login in logins.values():
        answers(web, f"{login.url}health/ready", login.auth, limit_s=180)


@pytest.mark.usefixtures("lab_again")
def test_nothing_is_left_after_lab_down() -> None:
    make("lab-down")
    assert "vvlab" not in output("ip", "-brief", "link")
    assert "vvlab" not in output("nft", "list", "tables")
    assert "vibevoice-lab" not in Path("/proc/mounts").read_text()
    assert cgroup.names() == []
    assert process.names() == []
    ours = ("--directory=/var/lib/vibevoice-lab", "lab.supervise", "lab.internet")
    assert not [command for command in commands() if any(mark in command for mark in ours)]


@pytest.mark.usefixtures("lab_again")
def test_a_start_cleans_up_after_a_supervisor_that_was_killed() -> None:
    supervisor = process.pid("host-visitor")
    assert supervisor
    os.kill(supervisor, signal.SIGKILL)
    assert process.wait_until(lambda: not process.alive("host-visitor"), 10)
    assert cgroup.pids("visitor"), "the host itself lives on without its supervisor"
    make("lab-up")
    assert process.alive("host-visitor")
    assert len([command for command in commands() if "--machine=visitor" in command]) == 1


def commands() -> list[str]:
    """The command line of every process on the machine."""
    lines = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(entry.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return lines

"""Commands that only look, run as an operator runs them: a dead host is told of, and hides nobody."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from steps.looking import CONNECT_WITHIN_S
from tests.box.lab import REPO
from tests.unit.traefik_process import free_port

CONFIG = f"""
import sys
sys.path.insert(0, {str(REPO)!r})
from pyinfra import config
from steps.commandline import answer_for_themselves
config.FAIL_PERCENT = 0
answer_for_themselves(sys.argv[1:])
"""
INVENTORY = """
hosts = [
    ("@local", {{}}),
    ("refuses", {{"ssh_hostname": "127.0.0.1", "ssh_port": {refuses}}}),
    ("hangs", {{"ssh_hostname": "127.0.0.1", "ssh_port": {hangs}}}),
]
"""
OPS = """
from pyinfra import host, state
from pyinfra.api import operation
from steps.answer import end_with, first, say
from steps.looking import Silent, ask, silent

said = {}

@operation()
def look():
    if not state.is_executing:
        return
    try:
        said[host.name] = ask(host.data.get("script") or "echo here; echo and there")
    except Silent as reason:
        said[host.name] = str(reason)
    yield from ()

@operation()
def show():
    if not state.is_executing or not first():
        return
    say([], {"said": said, "silent": silent()})
    end_with(3)
    yield from ()
"""
COMMAND = """
from roles_of_test import look, show

look(name="Look")
show(name="Show")
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    """An inventory with this machine, a host that refuses and one that accepts and says nothing."""
    (tmp_path / "config.py").write_text(CONFIG)
    (tmp_path / "roles_of_test.py").write_text(OPS)
    for name in ("ops/status.py", "ops/user.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(COMMAND)
    with socket.create_server(("127.0.0.1", 0)) as hangs:
        ports = {"refuses": free_port(), "hangs": hangs.getsockname()[1]}
        (tmp_path / "inventory.py").write_text(INVENTORY.format(**ports))
        yield tmp_path


def run(site: Path, command: str, *options: str) -> tuple[subprocess.CompletedProcess[str], float]:
    begin = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pyinfra", "inventory.py", command, "--data", "json=1", *options],
        cwd=site,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )
    return done, time.monotonic() - begin


def answer(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 3, done.stderr
    return json.loads(done.stdout)


def test_dead_hosts_are_told_of_with_the_reason_and_the_others_answer(site: Path) -> None:
    done, seconds = run(site, "ops/status.py")
    said = answer(done)["said"]
    assert said["@local"] == ["here", "and there"]
    assert "127.0.0.1" in said["refuses"]
    assert said["hangs"] == f"does not answer within {CONNECT_WITHIN_S} s"
    assert seconds < CONNECT_WITHIN_S + 10
    assert "Traceback" not in done.stderr, done.stderr


def test_the_answer_comes_also_where_no_host_is_there(site: Path) -> None:
    done, _ = run(site, "ops/status.py", "--limit", "refuses", "--limit", "hangs")
    assert set(answer(done)["silent"]) == {"refuses", "hangs"}


def test_a_script_that_fails_is_told_of_by_its_last_words(site: Path) -> None:
    done, _ = run(site, "ops/status.py", "--limit", "@local", "--data", "script=echo why >&2; exit 1")
    assert answer(done)["said"] == {"@local": "cannot be read: why"}


def test_a_command_that_changes_something_still_needs_every_host(site: Path) -> None:
    done, _ = run(site, "ops/user.py", "-y", "--limit", "@local", "--limit", "refuses")
    assert done.returncode == 1
    assert done.stdout == ""

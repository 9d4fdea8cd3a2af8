"""One run at a time, and a lock that needs no hand when its holder is gone."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.topology import GATEWAY
from roles.lock import LOOK
from tests.box.deploy import Deploy, deploy
from tests.box.fixtures import Hosts

pytestmark = pytest.mark.usefixtures("declared")

SLOW = '''"""A deploy that rests once it has the lock: without changes it would be over in seconds."""

import time

from pyinfra import host, local, state
from pyinfra.api import operation

from roles.lock import lock


@operation()
def rest(seconds: float):
    if state.is_executing:
        time.sleep(seconds)
    yield from ()


lock(host.data.site, host.data.member)
rest(name="Rest", seconds=float(host.data.rest_s))
local.include("deploy.py")
'''
# sshd gives up a client that is silent after at most a minute.
SILENCE_S = 75


def look(hosts: Hosts) -> str:
    return hosts["gateway"].check_output(LOOK)


UnderWay = Callable[..., Deploy]


@pytest.fixture
def under_way(tmp_path: Path) -> UnderWay:
    """A deploy that has the lock: ``under_way(log, *arguments, rest_s=seconds)`` before it goes on."""
    operations = tmp_path / "slow.py"
    operations.write_text(SLOW)

    def start(log: str, *arguments: str, rest_s: float = 20) -> Deploy:
        rest = ("--data", f"rest_s={rest_s}")
        run = Deploy("-y", *rest, *arguments, operations=str(operations), log=log)
        run.wait_for(lambda line: "Starting operation: Rest" in line)
        return run

    return start


def test_of_two_deploys_one_is_refused_and_told_of_the_other(hosts: Hosts, under_way: UnderWay) -> None:
    first = under_way("lock-first")
    held = json.loads(look(hosts))
    second = Deploy("-y", log="lock-second").wait()
    assert second.code == 1, second.tail
    since = time.strftime("%H:%M", time.localtime(held["since"]))
    told = f"{held['owner']} (process {held['pid']}) holds the site's lock since {since}"
    assert told in second.text
    assert ": deploy." in second.text
    assert not second.operations()[-1][0].startswith("Base"), "nothing was changed"
    run = first.wait()
    assert run.code == 0, run.tail
    assert look(hosts) == ""


@pytest.mark.thorough
def test_a_run_limited_to_a_node_has_the_same_lock(under_way: UnderWay) -> None:
    first = under_way("lock-limited", "--limit", "gpu-1")
    second = Deploy("-y", "--limit", "gpu-2", log="lock-limited-second").wait()
    assert second.code == 1, second.tail
    assert "holds the site's lock since" in second.text
    assert first.wait().code == 0


def test_a_killed_deploy_leaves_no_lock(hosts: Hosts, under_way: UnderWay) -> None:
    run = under_way("lock-killed")
    assert look(hosts)
    run.stop()
    deploy("-y", log="lock-after-kill")


@pytest.mark.thorough
def test_a_broken_lock_ends_the_run_that_held_it(under_way: UnderWay) -> None:
    first = under_way("lock-broken")
    deploy("-y", "--data", "break_lock=1", "--limit", "gpu-2", log="lock-breaker")
    run = first.wait()
    assert run.code == 1, run.tail
    assert "This run has lost the site's lock" in run.text
    assert "Starting operation: Base" not in run.text, "nothing was changed"


@pytest.mark.thorough
def test_a_pulled_cable_frees_the_lock_within_a_minute(hosts: Hosts, under_way: UnderWay) -> None:
    # It goes on after a run has given the gateway up (20 s), and before sshd has given the run up (45 s).
    first = under_way("lock-cable", rest_s=30)
    held = json.loads(look(hosts))
    pulled = time.monotonic()
    with silent(held["pid"]):
        run = first.wait(90)
        assert run.code == 1, run.tail
        assert "has not answered for" in run.text
        assert "This run has lost the site's lock" in run.text
        # The gateway has not heard of its end; the run has let go before anybody else can have the lock.
        assert json.loads(look(hosts)) == held
        while look(hosts):
            assert time.monotonic() - pulled < SILENCE_S, "the lock is still held"
            time.sleep(1)


@contextmanager
def silent(pid: int) -> Iterator[None]:
    """Drop every packet of a process's connections to the gateway, without a word to either side."""
    sockets = subprocess.run(["ss", "-Htnp", "dst", GATEWAY], capture_output=True, text=True, check=True)
    local = [line.split()[3] for line in sockets.stdout.splitlines() if f"pid={pid}," in line]
    ports = [address.rpartition(":")[2] for address in local]
    assert ports, f"process {pid} has no connection to {GATEWAY}: {sockets.stdout}"
    rule = [
        "OUTPUT",
        "-p",
        "tcp",
        "-d",
        GATEWAY,
        "-m",
        "multiport",
        "--sports",
        ",".join(ports),
        "-j",
        "DROP",
    ]
    subprocess.run(["iptables", "-I", *rule], check=True)
    try:
        yield
    finally:
        subprocess.run(["iptables", "-D", *rule], check=True)


@pytest.mark.thorough
def test_a_dry_run_takes_no_lock(under_way: UnderWay) -> None:
    first = under_way("lock-while-dry")
    plan = Deploy("--dry", "--json", log="lock-dry").wait()
    assert plan.code == 0, plan.tail
    assert first.wait().code == 0

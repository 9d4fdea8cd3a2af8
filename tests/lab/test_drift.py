"""Whatever a hand changes on a host, ops/drift.py names that and nothing else; a deployed site has none."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from testinfra.host import Host

from roles.drift.finding import KINDS, Kind
from tests.box.deploy import Deploy, Run
from tests.box.fixtures import Hosts
from tests.box.patience import PATIENCE
from tests.lab.by_hand import Change, every

pytestmark = pytest.mark.usefixtures("declared")

LIMIT_S = 60.0


def look(log: str) -> Run:
    return Deploy("--data", "json=1", operations="ops/drift.py", log=log).wait(LIMIT_S)


def found(run: Run) -> list[dict[str, Any]]:
    assert run.code in (0, 2), run.tail
    return run.json["drift"]


def test_a_site_as_deployed_has_no_drift_and_is_looked_at_within_seconds() -> None:
    run = look("drift-none")
    assert found(run) == []
    assert run.code == 0
    assert run.json["looked_at"] == ["gateway", "gpu-1", "gpu-2"]
    assert run.seconds < 10 * PATIENCE, run.tail


@contextmanager
def made(host: Host, change: Change) -> Iterator[None]:
    """A change made by hand, and undone whatever happens."""
    try:
        host.check_output("sh -c %s", change.do)
        yield
    finally:
        host.check_output("sh -c %s", change.undo)


@dataclass(frozen=True)
class Seen:
    """What one look found when every change was there."""

    run: Run
    changes: list[Change]


@pytest.fixture(scope="module")
def seen(declared: None, hosts: Hosts) -> Seen:
    """Every change made by hand, all at once; undone again before anything is judged."""
    changes = every(hosts)
    with ExitStack() as stack:
        for one in changes:
            stack.enter_context(made(hosts[one.host], one))
        return Seen(look("drift-by-hand"), changes)


def _is(row: dict[str, Any], change: Change, kind: Kind) -> bool:
    return (row["kind"], row["host"]) == (kind, change.host) and change.names[kind] in row["what"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_change_by_hand_is_found_and_named(seen: Seen, kind: Kind) -> None:
    rows, mine = found(seen.run), [change for change in seen.changes if kind in change.names]
    assert seen.run.code == 2
    assert mine, f"no {kind} is changed here"
    for change in mine:
        assert any(_is(row, change, kind) and row["remedy"] for row in rows), (change, rows)


def test_nothing_else_is_found(seen: Seen) -> None:
    def by_hand(row: dict[str, Any]) -> bool:
        return any(_is(row, change, kind) for change in seen.changes for kind in change.names)

    others = [row for row in found(seen.run) if not by_hand(row)]
    assert others == []


def answers(host: Host) -> bool:
    # testinfra takes a host that refuses the connection for an error of its own.
    try:
        return host.run("true").rc == 0
    except RuntimeError:
        return False


@contextmanager
def silent(host: Host) -> Iterator[None]:
    """A host without an sshd, which comes back by itself; left once it has, whatever happened meanwhile."""
    host.check_output("systemd-run --on-active=15s systemctl start ssh.service && systemctl stop ssh.service")
    try:
        yield
    finally:
        deadline = time.monotonic() + 60
        while not answers(host):
            assert time.monotonic() < deadline, "its sshd did not come back"
            time.sleep(1)


@pytest.mark.thorough
def test_a_host_that_is_silent_is_named_and_hides_no_other(hosts: Hosts) -> None:
    with silent(hosts["gpu-2"]):
        run = look("drift-silent")
    assert run.code == 1, run.tail
    assert run.json["looked_at"] == ["gateway", "gpu-1"]
    assert set(run.json["unreachable"]) == {"gpu-2"}
    assert run.json["drift"] == []


def test_nothing_is_left_of_all_that() -> None:
    assert found(look("drift-after")) == []

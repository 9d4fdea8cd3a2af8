"""Who may take the deploy lock from whom."""

from __future__ import annotations

import subprocess

from roles.lock.holder import Holder, alive, may_take, me, read, refusal

MINE = Holder("ana@desk", 100, 1000.0)


def test_a_lock_survives_being_written_and_read() -> None:
    assert read(MINE.as_json()) == MINE


def test_what_is_no_lock_names_nobody() -> None:
    assert [read(text) for text in ("", "{}", "not json", '{"owner": "x"}')] == [None] * 4


def test_the_remains_of_ones_own_dead_deploy_are_taken_over() -> None:
    assert may_take(Holder("ana@desk", 99, 900.0), MINE, is_alive=lambda pid: False)


def test_ones_own_living_deploy_is_respected() -> None:
    assert not may_take(Holder("ana@desk", 99, 900.0), MINE, is_alive=lambda pid: True)


def test_a_deploy_of_another_machine_is_respected_dead_or_alive() -> None:
    assert not may_take(Holder("li@laptop", 99, 900.0), MINE, is_alive=lambda pid: False)


def test_a_process_that_is_no_deploy_holds_nothing() -> None:
    assert not alive(me().pid)


def test_a_running_deploy_is_alive() -> None:
    # Named as a deploy is in the list of processes.
    with subprocess.Popen(["sh", "-c", "sleep 30; true", "pyinfra"]) as deploy:
        assert alive(deploy.pid)
        deploy.kill()
    assert not alive(deploy.pid)


def test_the_refusal_says_who_since_when_and_what_to_do() -> None:
    message = refusal(Holder("li@laptop", 7, 1000.0), now=1000.0 + 12 * 60)
    assert "li@laptop" in message
    assert "12 min" in message
    assert "--data break_lock=1" in message

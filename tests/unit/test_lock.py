"""The site's lock: a real shell holds a real file, for as long as somebody holds its standard input open."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from roles.lock.holder import LOOK, PATH, Holder, hold, me, read, refusal

ANA = Holder("ana@desk", 100, 1000.0, "deploy")
LI = Holder("li@laptop's", 7, 2000.0, "drain 'gpu-1'")


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "not there yet" / "lock"


@contextmanager
def taking(lock: Path, who: Holder, force: bool = False) -> Iterator[subprocess.Popen[str]]:
    """A shell that tries to take the lock, in a session of its own as sshd starts it."""
    process = subprocess.Popen(
        ["sh", "-c", hold(who, force, str(lock))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        yield process
        process.kill()


def answer(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def look(lock: Path) -> str:
    script = LOOK.replace(PATH, f"'{lock}'")
    return subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout


def test_the_lock_says_who_holds_it_since_when_and_for_what(lock: Path) -> None:
    with taking(lock, LI) as process:
        assert answer(process) == "ours"
        assert read(lock.read_text()) == read(look(lock)) == LI
        assert json.loads(lock.read_text())["holder"] == process.pid


def test_a_held_lock_is_refused_in_the_holders_own_words(lock: Path) -> None:
    with taking(lock, ANA) as first:
        assert answer(first) == "ours"
        with taking(lock, LI) as second:
            assert answer(second) == "held"
            assert read(answer(second)) == ANA
            assert second.wait(5) == 0
        assert read(look(lock)) == ANA


def test_the_lock_is_free_once_its_holders_channel_ends(lock: Path) -> None:
    with taking(lock, ANA) as first:
        assert answer(first) == "ours"
        assert first.stdin
        first.stdin.close()
        assert first.wait(5) == 0
    assert lock.read_text() == look(lock) == ""
    with taking(lock, LI) as second:
        assert answer(second) == "ours"


def test_a_killed_holder_leaves_its_words_but_no_lock(lock: Path) -> None:
    with taking(lock, ANA) as first:
        assert answer(first) == "ours"
        # Not at the moment at which it starts its child.
        time.sleep(0.5)
        first.kill()
        first.wait()
        assert read(lock.read_text()) == ANA
        assert look(lock) == ""
        with taking(lock, LI) as second:
            assert answer(second) == "ours"
            assert read(look(lock)) == LI


def test_who_looks_is_in_nobodys_way(lock: Path) -> None:
    with taking(lock, ANA):
        pass
    with subprocess.Popen(["flock", "-s", str(lock), "sleep", "0.5"]), taking(lock, LI) as process:
        assert answer(process) == "ours"


def test_force_ends_the_holder_and_all_that_it_started(lock: Path) -> None:
    with taking(lock, ANA) as first:
        assert answer(first) == "ours"
        with taking(lock, LI, force=True) as second:
            assert answer(second) == "ours"
            first.wait(5)
            assert read(look(lock)) == LI
            left = subprocess.run(
                ["pgrep", "-g", str(first.pid)], capture_output=True, text=True, check=False
            )
            assert left.stdout == ""


def test_force_takes_a_free_lock_like_anybody(lock: Path) -> None:
    with taking(lock, ANA, force=True) as process:
        assert answer(process) == "ours"


def test_force_says_who_it_cannot_end(lock: Path) -> None:
    lock.parent.mkdir()
    lock.write_text(ANA.as_json())
    with subprocess.Popen(["flock", str(lock), "sleep", "60"]) as stranger:
        time.sleep(0.2)
        with taking(lock, LI, force=True) as process:
            assert answer(process) == "held"
        subprocess.run(["pkill", "-P", str(stranger.pid)], check=False)


def test_what_is_no_lock_names_nobody() -> None:
    assert [read(text) for text in ("", "{}", "not json", '{"owner": "x"}', "[]")] == [None] * 5


def test_the_refusal_says_who_since_when_what_and_what_to_do() -> None:
    message = refusal(ANA, now=1000.0 + 12 * 60)
    assert "ana@desk (process 100)" in message
    assert time.strftime("%H:%M", time.localtime(1000)) in message
    assert "(12 min ago): deploy" in message
    assert "--data break_lock=1" in message
    assert PATH in refusal(None, now=0.0)


def test_this_run_is_named_by_its_person_machine_and_process() -> None:
    mine = me("deploy")
    assert "@" in mine.owner
    assert mine.pid > 1
    assert time.time() - mine.since < 60

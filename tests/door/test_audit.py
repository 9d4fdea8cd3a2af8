"""The audit log: every line whole, none with secrets, none too many, and nothing done without its line."""

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest
from asking import DAY_S, Clock, Post
from door.audit import Audit
from door.people import Unavailable
from visiting import ANA

TODAY = "2027-01-15.jsonl"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def audit(tmp_path: Path, clock: Clock) -> Audit:
    return Audit(tmp_path / "audit", clock)


def lines(folder: Path) -> list[dict]:
    return [
        json.loads(line) for file in sorted(folder.glob("*.jsonl")) for line in file.read_text().splitlines()
    ]


@pytest.fixture
def full(tmp_path: Path, audit: Audit) -> Path:
    """The disk is full."""
    file = tmp_path / "audit" / TODAY
    file.symlink_to("/dev/full")
    return file


def test_a_line_says_when_what_and_who(tmp_path: Path, audit: Audit) -> None:
    audit.write("login", user="ana", address="192.0.2.7", via="password", reason=None)
    (line,) = lines(tmp_path / "audit")
    assert line == {
        "time": "2027-01-15T08:00:00.000Z",
        "event": "login",
        "user": "ana",
        "address": "192.0.2.7",
        "via": "password",
    }
    assert (tmp_path / "audit" / TODAY).stat().st_mode & 0o777 == 0o600


def test_long_texts_are_cut_and_queries_left_out(tmp_path: Path, audit: Audit) -> None:
    audit.write("refused", user="x" * 1000, path="/vibevoice/podcast/?token=secret", reason="a\nb")
    (line,) = lines(tmp_path / "audit")
    assert line["user"] == "x" * 100 and line["path"] == "/vibevoice/podcast/" and line["reason"] == "a\nb"


def test_what_is_no_event_or_field_is_a_mistake(audit: Audit) -> None:
    for event, field in (("logged_in", "user"), ("login", "password")):
        with pytest.raises(ValueError, match="knows no"):
            audit.write(event, **{field: "x"})


def test_processes_do_not_mix_their_lines(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from door.audit import Audit\n"
        "audit = Audit(Path(sys.argv[1]), lambda: 1_800_000_000.0)\n"
        "for n in range(500): audit.write('refused', user=sys.argv[2] * 90, path='/' + 'p' * 90)"
    )
    folder = tmp_path / "audit"
    writing = [subprocess.Popen([sys.executable, "-c", script, str(folder), letter]) for letter in "abc"]
    assert [process.wait(60) for process in writing] == [0, 0, 0]
    written = [line["user"] for line in lines(folder)]
    assert sorted(written) == sorted([letter * 90 for letter in "abc"] * 500)


def test_refusals_of_an_address_are_sixty_a_minute_and_a_count(
    tmp_path: Path, audit: Audit, clock: Clock
) -> None:
    for n in range(100):
        audit.refused("192.0.2.7", reason=str(n))
    audit.refused("192.0.2.8", reason="other")
    assert len(lines(tmp_path / "audit")) == 61
    clock.turn(60)
    audit.sum_up()
    audit.sum_up()
    assert lines(tmp_path / "audit")[61:] == [
        {
            "time": "2027-01-15T08:01:00.000Z",
            "event": "refused",
            "address": "192.0.2.7",
            "reason": "more_of_the_same",
            "count": 40,
        }
    ]
    audit.refused("192.0.2.7", reason="again")
    assert lines(tmp_path / "audit")[-1]["reason"] == "again"


def test_old_days_are_deleted(tmp_path: Path, audit: Audit, clock: Clock) -> None:
    audit.write("login")
    clock.turn(2 * DAY_S)
    audit.write("login")
    audit.forget_old(2)
    assert len(lines(tmp_path / "audit")) == 2
    clock.turn(DAY_S)
    audit.forget_old(2)
    assert [file.name for file in (tmp_path / "audit").iterdir()] == ["2027-01-17.jsonl"]


def test_a_full_disk_is_an_error_to_who_needs_the_line(audit: Audit, full: Path) -> None:
    with pytest.raises(Unavailable, match="cannot be written: No space left on device"):
        audit.write("login", user="ana")


def test_and_a_complaint_a_minute_for_who_does_not(
    audit: Audit, full: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        audit.note("key_used")
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    clock.turn(60)
    audit.note("key_used")
    assert len(caplog.records) == 2


def test_nobody_logs_in_unrecorded(tmp_path: Path) -> None:
    with Post(tmp_path) as post:
        (post.data / "audit").mkdir(exist_ok=True)
        (post.data / "audit" / TODAY).symlink_to("/dev/full")
        with pytest.raises(Unavailable):
            post.log_in("ana", ANA)

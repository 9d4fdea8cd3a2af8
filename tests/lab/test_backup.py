"""A project's jobs are backed up while they are spoken, and go on from there once they are restored."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.box.backups import back_up, restore, run
from tests.box.containers import ids
from tests.box.fixtures import Hosts
from tests.box.jobs import Jobs, as_undisturbed, complete, talk
from tests.box.lab import Lab

pytestmark = pytest.mark.thorough

# The node of Debian 12, with its older restic and SQLite, where the deploy is not root by itself.
NODE, PROJECT = "gpu-2", "debate"
SCRIPT = talk(36)


@dataclass(frozen=True)
class Saved:
    """A backup made in the middle of a job: its snapshot, a job that was done by then and its sound, the one
    that ran, what it came to and how much was spoken before, and one that was handed in afterwards."""

    snapshot: str
    done: str
    done_sound: bytes
    ran: str
    ran_sound: bytes
    spoken_s: float
    later: str


@pytest.fixture(scope="module")
def bo(lab: Lab) -> Iterator[Jobs]:
    with Jobs(lab, lab.login(PROJECT, "bo")) as jobs:
        yield jobs


@pytest.fixture(scope="module")
def saved(bo: Jobs) -> Saved:
    done = bo.submit(talk(2), seed=5)
    bo.done(done)
    ran = bo.submit(SCRIPT, seed=6)
    spoken_s = bo.speaking(ran, 2.0)["progress"]["audio_s"]
    (made,) = back_up("jobs-backup", project=PROJECT)
    assert bo.get(ran)["state"] == "running", "the backup took longer than the job"
    later = bo.submit(talk(2), seed=7)
    bo.done(ran)
    bo.done(later)
    return Saved(made["snapshot"], done, complete(bo, done), ran, complete(bo, ran), spoken_s, later)


@pytest.fixture(scope="module")
def refused(saved: Saved) -> str:
    """What a restore says that nobody asked to replace what is there."""
    tried = run("restore", "jobs-restore-refused", project=PROJECT, snapshot=saved.snapshot)
    assert tried.code == 1, tried.tail
    return tried.text


@pytest.fixture(scope="module")
def restored(saved: Saved, refused: str, hosts: Hosts, bo: Jobs) -> dict[str, Any]:
    """What a restore answers; the studio is the same container as before."""
    assert bo.get(saved.later)["state"] == "done", "what was refused has changed something"
    before = ids(hosts[NODE])
    answer = restore("jobs-restore", project=PROJECT, snapshot=saved.snapshot, overwrite=1)
    assert ids(hosts[NODE]) == before
    return answer


def test_jobs_that_are_there_are_not_replaced_unasked(refused: str) -> None:
    assert re.search(rf"{PROJECT} has \d+ jobs and \d+ voices here\.", refused)
    assert "run again with --data overwrite=1; nothing was changed." in refused


def test_a_restore_says_what_it_brought(restored: dict[str, Any], saved: Saved, hosts: Hosts) -> None:
    assert (restored["of"], restored["host"]) == (PROJECT, NODE)
    assert restored["snapshot"]["id"] == saved.snapshot
    assert restored["unfinished"] == 1
    assert restored["studios"] == list(ids(hosts[NODE]))


def test_the_job_that_ran_goes_on_from_its_last_saved_frame(
    restored: dict[str, Any], saved: Saved, bo: Jobs
) -> None:
    assert bo.done(saved.ran)["progress"]["audio_s"] > saved.spoken_s
    as_undisturbed(complete(bo, saved.ran), saved.ran_sound, saved.spoken_s)


def test_what_was_done_is_there_to_the_sample(restored: dict[str, Any], saved: Saved, bo: Jobs) -> None:
    assert complete(bo, saved.done) == saved.done_sound


def test_what_came_after_the_backup_is_gone(restored: dict[str, Any], saved: Saved, bo: Jobs) -> None:
    assert bo.ask("GET", f"v1/jobs/{saved.later}").status_code == 404


def test_another_password_is_told_so(saved: Saved, bo: Jobs) -> None:
    history = [job["id"] for job in bo.history()]
    password = {"VV_SECRET_BACKUP_PASSWORD": "of-another-site"}
    tried = run("restore", "jobs-restore-password", password, project=PROJECT, overwrite=1)
    assert tried.code == 1, tried.tail
    assert "is encrypted with another password. Correct password below [backup]" in tried.text
    assert [job["id"] for job in bo.history()] == history
    # The hosts know the right one again.
    assert back_up("jobs-backup-again", project=PROJECT)


def test_a_snapshot_that_does_not_exist_is_told_so(saved: Saved) -> None:
    tried = run("restore", "jobs-restore-missing", project=PROJECT, snapshot="ffffffff", overwrite=1)
    assert tried.code == 1, tried.tail
    assert f"snapshot=ffffffff is no backup of {PROJECT}. The latest are" in tried.text


def test_every_host_makes_its_backups_by_itself_at_night(hosts: Hosts) -> None:
    for name, kinds in {"gateway": "gateway", "gpu-1": "podcast", NODE: PROJECT}.items():
        assert hosts[name].check_output("systemctl is-active vibevoice-backup.timer") == "active"
        # Waits for its end, and fails where it fails.
        hosts[name].check_output("systemctl start vibevoice-backup.service")
        log = hosts[name].check_output("journalctl -u vibevoice-backup.service -n 20 -o cat")
        assert f"Backed up {kinds}: snapshot" in log, f"{name}: {log}"

"""A disk is full: jobs wait, all that is there can be heard, and with room everything goes on by itself."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from testinfra.host import Host

from tests.box.containers import ENGINE, processes, studios
from tests.box.fixtures import Hosts
from tests.box.jobs import Jobs, as_undisturbed, complete, talk
from tests.box.lab import Lab
from tests.box.web import answers
from tests.faults.table import Fault
from tests.faults.under_load import UnderLoad

pytestmark = pytest.mark.fault

FULL = Fault("disk full for 30 s", back_within_s=90)
FULL_S = 30
SCRIPT = talk(36)
SEED = 1
BACK_WITHIN_S = 90
# Room for some minutes of sound beyond what a studio leaves free (studio.disk_reserve: 1 GiB).
DISK_MIB = 1024 + 200
DEBATE = "/srv/vibevoice/projects/debate"
FILL = f"dd if=/dev/zero of={DEBATE}/filler bs=1M"
ALARM = "/srv/vibevoice/alarms/disk-debate"


@pytest.fixture(scope="module")
def bo(lab: Lab) -> Iterator[Jobs]:
    """Bo's jobs of debate, which has one studio."""
    with Jobs(lab, lab.login("debate", "bo")) as jobs:
        yield jobs


@pytest.fixture(scope="module")
def small_disk(hosts: Hosts, bo: Jobs) -> Iterator[Host]:
    """Debate's folder on a disk of its own, empty and hardly larger than what is to be left free."""
    node = hosts["gpu-2"]
    (studio,) = studios(node)
    node.check_output(f"docker stop {studio.name}")
    node.check_output(f"mount -t tmpfs -o size={DISK_MIB}m,uid=10001,gid=10001,mode=750 tmpfs {DEBATE}")
    node.check_output(f"docker start {studio.name}")
    _up(bo, node, studio.name)
    yield node
    node.check_output(f"docker stop {studio.name} && umount {DEBATE} && docker start {studio.name}")
    _up(bo, node, studio.name)


def _up(jobs: Jobs, node: Host, name: str) -> None:
    """Its engine, too."""
    end = time.monotonic() + BACK_WITHIN_S
    while not processes(node, name, ENGINE):
        assert time.monotonic() < end, f"{name} has no engine"
        time.sleep(0.5)
    answers(jobs.web, f"{jobs.login.url}health/ready", jobs.login.auth, BACK_WITHIN_S)


def _is_paused(job: dict) -> bool:
    return job["state"] == "queued" and job["reason"] == "disk_full"


@pytest.mark.parametrize("left", ["less than the reserve", "nothing"])
def test_a_full_disk_pauses_jobs_and_they_go_on_once_there_is_room(
    small_disk: Host, bo: Jobs, left: str
) -> None:
    node = small_disk
    undisturbed = bo.submit(SCRIPT, seed=SEED)
    bo.done(undisturbed)
    id = bo.submit(SCRIPT, seed=SEED)
    bo.speaking(id, 1.0)
    # All there is ends with "no space left", which is what is wanted.
    node.run(FILL if left == "nothing" else f"{FILL} count=300")
    paused = bo.until(id, _is_paused, 30, "paused because the disk is full")
    assert paused["progress"]["audio_s"] > 0

    # Nothing else breaks: the studio is up, what there is can be seen, and what cannot be is said.
    assert bo.ask("GET", "health/ready").json()["paused"] == "disk_full"
    assert bo.ask("GET", "").status_code == 200
    assert id in {job["id"] for job in bo.history()}
    another = bo.ask("POST", "v1/jobs", json={"input": "Speaker 1: One more."})
    if another.status_code != 201:
        assert another.status_code in (503, 507), another.text[:500]
        assert "full" in another.json()["error"]["message"]

    node.check_output(f"rm {DEBATE}/filler")
    bo.done(id)
    as_undisturbed(complete(bo, id), complete(bo, undisturbed))
    if another.status_code == 201:
        bo.done(another.json()["id"])


def test_a_full_disk_is_an_alarm_and_costs_no_job(site: UnderLoad, small_disk: Host) -> None:
    node = small_disk
    with site.during(FULL):
        node.run(FILL)
        time.sleep(FULL_S)
        told = json.loads(node.check_output(f"cat {ALARM}"))
        node.check_output(f"rm {DEBATE}/filler")
    assert "debate" in told["what"] and told["do"]
    assert node.run(f"test -e {ALARM}").rc != 0

"""What befalls a studio in the middle of its work: every accepted job ends done, to the sample."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import pytest
from testinfra.host import Host

from tests.box.containers import ENGINE, kill_engine, kill_web, processes, studios
from tests.box.fixtures import Hosts
from tests.box.jobs import Jobs, as_undisturbed, complete, talk
from tests.box.lab import Lab
from tests.box.web import answers, stays

SCRIPT = talk(36)
SEEDS = (1, 2, 3)
# Seed of the moments at which something is killed.
MOMENTS = 20261125
STOPS_WITHIN_S = 20.0
BACK_WITHIN_S = 90


@pytest.fixture(scope="module")
def bo(lab: Lab) -> Iterator[Jobs]:
    """Bo's jobs of debate, which has one studio."""
    with Jobs(lab, lab.login("debate", "bo")) as jobs:
        yield jobs


@pytest.fixture(scope="module")
def undisturbed(bo: Jobs) -> dict[int, bytes]:
    """What the script sounds like when nothing happens, by seed."""
    ids = {seed: bo.submit(SCRIPT, seed=seed) for seed in SEEDS}
    sounds = {}
    for seed, id in ids.items():
        bo.done(id)
        sounds[seed] = complete(bo, id)
        bo.delete(id)
    return sounds


def _all_whole(jobs: Jobs, ids: dict[int, str], undisturbed: dict[int, bytes]) -> None:
    for seed, id in ids.items():
        jobs.done(id, 300)
        as_undisturbed(complete(jobs, id), undisturbed[seed])
        jobs.delete(id)


@pytest.mark.thorough  # the kills of test_kills.py, one at a time and under load, are done in every run
def test_jobs_outlive_kills_of_engine_and_web_process(
    hosts: Hosts, bo: Jobs, undisturbed: dict[int, bytes]
) -> None:
    node = hosts["gpu-2"]
    (studio,) = studios(node)
    dice = random.Random(MOMENTS)
    kills = [kill_engine, kill_web] * 2
    dice.shuffle(kills)
    ids = {seed: bo.submit(SCRIPT, seed=seed) for seed in SEEDS}
    spoken = 0.0
    for kill in kills:
        # It has gone on since the last one.
        spoken = bo.speaking(ids[SEEDS[0]], spoken)["progress"]["audio_s"]
        time.sleep(dice.uniform(0, 1.5))
        kill(node, studio.name)
        stays(bo.web, f"{bo.login.url}health/ready", bo.login.auth, BACK_WITHIN_S)
    _all_whole(bo, ids, undisturbed)


@pytest.mark.thorough  # in every run a rolling update does, under load
def test_a_stopped_studio_hands_its_jobs_to_the_other(
    lab: Lab, hosts: Hosts, undisturbed: dict[int, bytes]
) -> None:
    node = hosts["gpu-1"]
    stopped, _ = studios(node)
    with Jobs(lab, lab.login("podcast", "li")) as li:
        ids = {seed: li.submit(SCRIPT, seed=seed) for seed in SEEDS}
        for id in ids.values():
            li.speaking(id)
        begin = time.monotonic()
        node.check_output("docker stop %s", stopped.name)
        took = time.monotonic() - begin
        try:
            code = node.check_output("docker inspect -f '{{.State.ExitCode}}' %s", stopped.name)
            assert (code, took < STOPS_WITHIN_S) == ("0", True), f"exit code {code} after {took:.1f} s"
            _all_whole(li, ids, undisturbed)
        finally:
            node.check_output("docker start %s", stopped.name)
            _up(li, node, stopped.name)


def _up(jobs: Jobs, node: Host, name: str) -> None:
    """Back as it was before the test: its engine, too."""
    end = time.monotonic() + BACK_WITHIN_S
    while not processes(node, name, ENGINE):
        assert time.monotonic() < end, f"{name} has no engine"
        time.sleep(0.5)
    answers(jobs.web, f"{jobs.login.url}health/ready", jobs.login.auth, BACK_WITHIN_S)

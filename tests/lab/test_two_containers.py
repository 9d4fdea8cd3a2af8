"""Two studios of one project, a GPU each: one queue, one history, whichever of them a visitor meets."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from testinfra.host import Host

from tests.box.containers import Studio, kill_engine, spoken_by, studios
from tests.box.fixtures import Hosts
from tests.box.jobs import Jobs, complete
from tests.box.lab import Lab

SHORT = "Speaker 1: A short one, number {}.\nSpeaker 2: It is not long."
# More than one studio speaks at once, fewer than both.
MANY = 12
BOTH_WITHIN_S = 60
NOTICED_WITHIN_S = 10


@pytest.fixture(scope="module")
def node(hosts: Hosts) -> Host:
    return hosts["gpu-1"]


@pytest.fixture(scope="module")
def visitors(lab: Lab) -> Iterator[dict[int, Jobs]]:
    """Li twice, by the slot of the studio that the balancer's cookie leads to."""
    found: dict[int, Jobs] = {}
    end = time.monotonic() + BOTH_WITHIN_S
    while len(found) < 2:
        assert time.monotonic() < end, f"nobody was sent to another studio than {list(found)}"
        visitor = Jobs(lab, lab.login("podcast", "li"))
        slot = visitor.ask("GET", "health/ready").json()["slot"]
        if slot in found:
            visitor.web.close()
        else:
            found[slot] = visitor
    yield found
    for visitor in found.values():
        visitor.web.close()


def _slot(visitor: Jobs) -> int:
    return visitor.ask("GET", "health/ready").json()["slot"]


def test_jobs_of_one_studio_are_spoken_by_both_and_seen_by_both(
    visitors: dict[int, Jobs], node: Host
) -> None:
    here, there = visitors[0], visitors[1]
    orders = [{"input": SHORT.format(n), "title": f"Number {n}"} for n in range(MANY)]
    answer = here.ask("POST", "v1/jobs", json={"batch": orders})
    assert answer.status_code == 201, answer.text[:500]
    ids = [job["id"] for job in answer.json()["data"]]
    try:
        listed = {job["id"]: job["state"] for job in there.history(limit=100)}
        assert set(ids) <= listed.keys()
        for id in ids:
            there.done(id)
        by = {studio.slot: spoken_by(node, studio.name) & set(ids) for studio in _podcasts(node)}
        assert by[0] | by[1] == set(ids)
        assert by[1], "all that was handed in at one studio was spoken there"
        assert by[0], "one studio spoke everything"
        assert here.history(limit=100) == there.history(limit=100)
        assert here.samples(ids[0]) == there.samples(ids[0])
        assert (_slot(here), _slot(there)) == (0, 1)
    finally:
        for id in ids:
            here.delete(id)


def test_a_job_is_spoken_elsewhere_while_the_studio_that_took_it_has_no_engine(
    visitors: dict[int, Jobs], node: Host
) -> None:
    here, there = visitors[0], visitors[1]
    mine, other = _podcasts(node)
    kill_engine(node, mine.name)
    end = time.monotonic() + NOTICED_WITHIN_S
    while here.ask("GET", "health/ready").json()["engine"] == "ready":
        assert time.monotonic() < end, f"{mine.name} did not notice that its engine is dead"
    id = here.submit(SHORT.format("one"))
    there.done(id)
    assert id in spoken_by(node, other.name)
    complete(here, id)
    here.delete(id)


def _podcasts(node: Host) -> list[Studio]:
    return [studio for studio in studios(node) if studio.project == "podcast"]

"""A project comes and goes; the others notice nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
import requests

from tests.box import third as third_project
from tests.box.containers import execute, ids, studios
from tests.box.deploy import Run, deploy
from tests.box.fixtures import Hosts, Logins, Speak
from tests.box.lab import Lab
from tests.box.stream import EventStream
from tests.box.third import NAME, Third
from tests.box.web import TIMEOUT_S, answers, session

pytestmark = pytest.mark.thorough
NODES = ("gpu-1", "gpu-2")


@dataclass(frozen=True)
class Step:
    """A deploy under the eyes of visitors: ids of all studios before and after, the visitors' streams."""

    run: Run
    before: dict[str, str]
    after: dict[str, str]
    streams: dict[str, EventStream]


@pytest.fixture(scope="module")
def third(lab: Lab, logins: Logins, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Third]:
    """The third project, declared; its node has the GPU for it."""
    declared = third_project.declare(lab, tmp_path_factory.mktemp("inventory"))
    third_project.plug_in(declared)
    try:
        with session(lab.domain, lab.gateway_ip, lab.ca_root) as web:
            answers(web, f"{logins['debate'].url}health/ready", logins["debate"].auth, 90)
        yield declared
    finally:
        try:
            deploy("-y", log="third-project-cleanup", env=declared.env)
        finally:
            third_project.pull_out(declared)
        with session(lab.domain, lab.gateway_ip, lab.ca_root) as web:
            answers(web, f"{logins['debate'].url}health/ready", logins["debate"].auth, 90)


@pytest.fixture(scope="module")
def added(lab: Lab, logins: Logins, hosts: Hosts, third: Third) -> Step:
    return _watched(lab, logins, hosts, third, "third-project-added", {"inventory": third.inventory})


@pytest.fixture(scope="module")
def removed(lab: Lab, logins: Logins, hosts: Hosts, third: Third, added: Step) -> Step:
    return _watched(lab, logins, hosts, third, "third-project-removed", {})


def _watched(lab: Lab, logins: Logins, hosts: Hosts, third: Third, log: str, inventory: dict) -> Step:
    before = _all_ids(hosts)
    with ExitStack() as visitors:
        streams = {name: visitors.enter_context(EventStream(lab, logins[name])) for name in logins}
        run = deploy("-y", "--json", log=log, env=third.env, **inventory)
    return Step(run, before, _all_ids(hosts), streams)


def _all_ids(hosts: Hosts) -> dict[str, str]:
    return {name: id for node in NODES for name, id in ids(hosts[node]).items()}


def test_a_new_project_answers_over_https_after_the_next_run(added: Step, third: Third, speak: Speak) -> None:
    answer = speak(third.login, "Speaker 1: I am new here.")
    assert answer.status_code == 200, answer.text[:500]
    assert answer.content.startswith(b"RIFF")


def test_the_other_projects_containers_keep_their_ids(added: Step) -> None:
    assert added.before.items() <= added.after.items()
    (new,) = added.after.keys() - added.before.keys()
    assert new.startswith(f"vv-{NAME}-")


def test_event_streams_through_the_other_projects_do_not_break(added: Step) -> None:
    assert {name: stream.complaint for name, stream in added.streams.items() if stream.complaint} == {}


def test_the_new_projects_studio_has_the_free_gpu(added: Step, third: Third, hosts: Hosts) -> None:
    gpus = {studio.project: studio.gpus for studio in studios(hosts[third.node])}
    assert {len(devices) for devices in gpus.values()} == {1}
    assert len(set(gpus.values())) == len(gpus) == 2


def test_a_login_of_the_new_project_opens_no_other(
    added: Step, third: Third, logins: Logins, speak: Speak
) -> None:
    assert speak(logins["debate"], "Speaker 1: Hello.", auth=third.login.auth).status_code == 403


def test_two_projects_of_one_node_do_not_reach_each_other(added: Step, third: Third, hosts: Hosts) -> None:
    node = hosts[third.node]
    for mine, theirs in ((NAME, "debate"), ("debate", NAME)):
        (visitor,) = [studio for studio in studios(node) if studio.project == mine]
        (target,) = [studio for studio in studios(node) if studio.project == theirs]
        address = node.check_output(
            "docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' %s", target.name
        )
        code, said = execute(
            node, visitor.name, f"import socket; socket.create_connection(('{address}', 8888), 3)"
        )
        assert code != 0, f"{mine} reached {theirs} at {address}"
        assert "Error" in said


def test_removing_it_removes_container_network_and_route(
    removed: Step, third: Third, hosts: Hosts, web: requests.Session
) -> None:
    node = hosts[third.node]
    assert removed.before.keys() - removed.after.keys() == {
        name for name in removed.before if name.startswith(f"vv-{NAME}-")
    }
    assert f"vv-{NAME}" not in node.check_output("docker network ls --format '{{.Name}}'").split()
    assert web.get(third.login.url, auth=third.login.auth, timeout=TIMEOUT_S).status_code == 404


def test_removing_it_leaves_the_others_alone(removed: Step) -> None:
    assert removed.after.items() <= removed.before.items()
    assert {name: stream.complaint for name, stream in removed.streams.items() if stream.complaint} == {}


def test_its_data_stays(removed: Step, third: Third, hosts: Hosts) -> None:
    assert hosts[third.node].run("test -d %s", f"/srv/vibevoice/projects/{NAME}").rc == 0

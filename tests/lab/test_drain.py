"""A node out of service and back: its jobs wait and lose nothing, its project shows the waiting page."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.box.containers import studios
from tests.box.deploy import Deploy, Run, deploy
from tests.box.fixtures import Hosts, Logins
from tests.box.jobs import Jobs, complete, talk
from tests.box.lab import Lab, command
from tests.box.patience import PATIENCE
from tests.box.people import Visitor
from tests.box.web import answers, session

pytestmark = pytest.mark.thorough

NODE, PROJECT = "gpu-2", "debate"
WHY = "new PSU"
MARK = "/srv/vibevoice/drained"
STOPS_WITHIN_S = 25.0
NOTICED_WITHIN_S = 10.0
# Long enough for its middle to be when the node is drained.
SCRIPT = talk(60)


def ops(name: str, *arguments: str, log: str) -> Run:
    """A command of ops/, whatever its end."""
    return Deploy("-y", *arguments, operations=f"ops/{name}.py", log=log).wait()


@dataclass(frozen=True)
class Drained:
    """The node, drained in the middle of a job: that run, its seconds, the job."""

    run: Run
    job: str


@pytest.fixture(scope="module")
def drained(lab: Lab, logins: Logins) -> Iterator[Drained]:
    with Jobs(lab, logins[PROJECT]) as jobs:
        job = jobs.submit(SCRIPT)
        jobs.speaking(job, 1.0)
        run = ops("drain", "--data", f"host={NODE}", "--data", f"why={WHY}", log="drain")
        assert run.code == 0, run.tail
        yield Drained(run, job)
        ops("undrain", "--data", f"host={NODE}", log="drain-back")
        jobs.delete(job)


def _running(hosts: Hosts) -> list[str]:
    return [studio.name for studio in studios(hosts[NODE]) if studio.running]


def test_its_studios_end_within_their_grace_with_their_jobs_saved(drained: Drained, hosts: Hosts) -> None:
    assert _running(hosts) == []
    for studio in studios(hosts[NODE]):
        assert hosts[NODE].check_output("docker inspect -f '{{.State.ExitCode}}' %s", studio.name) == "0"
    assert drained.run.seconds < STOPS_WITHIN_S * PATIENCE


def test_the_mark_says_who_since_when_and_why(drained: Drained, hosts: Hosts) -> None:
    mark = json.loads(hosts[NODE].check_output(f"cat {MARK}"))
    assert "@" in mark["who"]
    assert mark["why"] == WHY
    assert abs(mark["since"] - time.time()) < 300


def test_a_person_sees_the_waiting_page(drained: Drained, lab: Lab, logins: Logins) -> None:
    user = logins[PROJECT].user
    deadline = time.monotonic() + NOTICED_WITHIN_S
    with Visitor(lab) as visitor:
        assert visitor.log_in(user, lab.users[user]).status_code == 303
        while (page := visitor.get(f"/vibevoice/{PROJECT}/")).status_code != 503:
            assert time.monotonic() < deadline, f"{page.status_code} {page.text[:300]}"
            time.sleep(0.2)
    assert 'http-equiv="refresh"' in page.text


def test_the_other_project_serves_on(drained: Drained, lab: Lab, logins: Logins) -> None:
    with session(lab.domain, lab.gateway_ip, lab.ca_root) as web:
        answers(web, f"{logins['podcast'].url}health/ready", logins["podcast"].auth, 5)


def test_a_node_that_is_drained_can_be_drained(drained: Drained, hosts: Hosts) -> None:
    before = hosts[NODE].check_output(f"cat {MARK}")
    run = ops("drain", "--data", f"host={NODE}", log="drain-again")
    assert run.code == 0, run.tail
    assert f"({WHY})" in run.text
    assert hosts[NODE].check_output(f"cat {MARK}") == before


def test_a_deploy_says_so_in_one_line_and_starts_nothing(drained: Drained, hosts: Hosts) -> None:
    run = deploy("-y", log="deploy-drained")
    said = [line.text for line in run.lines if "is drained for" in line.text]
    assert len(said) == 1
    assert all(word in said[0] for word in (NODE, PROJECT, WHY, "ops/undrain.py"))
    assert _running(hosts) == []


def test_smoke_knows_that_its_projects_wait(drained: Drained) -> None:
    run = Deploy(operations="ops/smoke.py", log="smoke-drained").wait()
    assert run.code == 0, run.tail
    assert f"{NODE} is drained for" in run.stdout
    assert f"({WHY}): its projects wait." in run.stdout


@pytest.mark.parametrize("name", ["drain", "undrain"])
def test_a_run_that_would_not_reach_the_node_is_refused(drained: Drained, name: str) -> None:
    run = ops(name, "--data", f"host={NODE}", "--limit", "gpu-1", log="drain-limited")
    assert run.code == 1
    assert f"{NODE} is not in --limit" in run.text
    assert "Traceback" not in run.text


def test_a_node_stays_drained_over_a_reboot(drained: Drained, hosts: Hosts) -> None:
    command("reboot", NODE)
    # Also what starts containers again at boot is through.
    hosts[NODE].run("timeout 60 systemctl is-system-running --wait")
    assert hosts[NODE].check_output("systemctl is-active vibevoice-docker-heal.service || true") != "failed"
    assert hosts[NODE].run("test -e %s", MARK).rc == 0
    assert _running(hosts) == []
    proxies = hosts[NODE].check_output("docker ps --format '{{.Names}}'").split()
    assert {"vv-node-proxy", "vv-docker-proxy"} <= set(proxies)


@pytest.mark.parametrize("name", ["gpu-9", "gateway"])
def test_a_wrong_name_is_refused_with_those_that_there_are(name: str) -> None:
    run = ops("drain", "--data", f"host={name}", log="drain-wrong")
    assert run.code == 1
    assert "gpu-1, gpu-2" in run.text
    assert "Traceback" not in run.text
    assert "/roles/" not in run.text, "it is no place in a file that the operator has to know"


def test_undrained_it_ends_the_job_to_the_sample(
    drained: Drained, lab: Lab, logins: Logins, hosts: Hosts
) -> None:
    run = ops("undrain", "--data", f"host={NODE}", log="undrain")
    assert run.code == 0, run.tail
    assert hosts[NODE].run("test -e %s", MARK).rc != 0
    with Jobs(lab, logins[PROJECT]) as jobs:
        # The run ended with the project's answer: no waiting for it here.
        assert jobs.ask("GET", "health/ready").json()["engine"] == "ready"
        jobs.done(drained.job)
        complete(jobs, drained.job)

"""Processes are killed, or stand still, while people are at work: studios, engines, both Traefiks."""

from __future__ import annotations

import pytest
from testinfra.host import Host

from fleet import names
from tests.box.containers import ENGINE, Studio, first_process, processes, studios
from tests.box.fixtures import Hosts
from tests.faults.table import Fault
from tests.faults.under_load import UnderLoad

pytestmark = pytest.mark.fault

# Debate has one studio: nobody else answers for it.
NODE = "gpu-2"
KILLED_WEB = Fault("kill -9 of a web process", back_within_s=45)
KILLED_ENGINE = Fault("kill -9 of an engine", unnoticed=True)
# The node's watch sees a container that Docker calls unhealthy: after 3 looks of 4 s, 5 s apart.
STOPPED_WEB = Fault("SIGSTOP of a web process", back_within_s=75)
# An engine is ended once it has been silent for 60 s.
STOPPED_ENGINE = Fault("SIGSTOP of an engine", back_within_s=180)
NODE_PROXY = Fault("kill -9 of a node's Traefik", back_within_s=20)
GATEWAY_PROXY = Fault("kill -9 of the gateway's Traefik", back_within_s=20)


def _engine(node: Host, studio: Studio) -> str:
    pids = processes(node, studio.name, ENGINE)
    assert pids, f"{studio.name} has no engine"
    return " ".join(map(str, pids))


@pytest.mark.always
def test_a_killed_web_process_costs_seconds_and_no_job(site: UnderLoad, hosts: Hosts) -> None:
    (studio,) = studios(hosts[NODE])
    pid = first_process(hosts[NODE], studio.name)
    with site.during(KILLED_WEB) as course:
        course.does(hosts[NODE], f"kill -KILL {pid}")
    assert studios(hosts[NODE]) == [studio]


@pytest.mark.always
def test_a_killed_engine_is_noticed_by_nobody(site: UnderLoad, hosts: Hosts) -> None:
    (studio,) = studios(hosts[NODE])
    pids = _engine(hosts[NODE], studio)
    with site.during(KILLED_ENGINE) as course:
        course.does(hosts[NODE], f"kill -KILL {pids}")
    assert studios(hosts[NODE]) == [studio]


@pytest.mark.parametrize(
    ("fault", "host", "container"),
    [
        pytest.param(NODE_PROXY, "gpu-1", names.NODE_PROXY, id="node"),
        pytest.param(GATEWAY_PROXY, "gateway", names.TRAEFIK, id="gateway"),
    ],
)
def test_a_killed_traefik_is_there_again(
    site: UnderLoad, hosts: Hosts, fault: Fault, host: str, container: str
) -> None:
    pid = first_process(hosts[host], container)
    with site.during(fault) as course:
        course.does(hosts[host], f"kill -KILL {pid}")


def test_a_web_process_that_stands_still_is_exchanged(site: UnderLoad, hosts: Hosts) -> None:
    (studio,) = studios(hosts[NODE])
    pid = first_process(hosts[NODE], studio.name)
    with site.during(STOPPED_WEB) as course:
        course.does(hosts[NODE], f"kill -STOP {pid}")
    assert studios(hosts[NODE]) == [studio]


def test_an_engine_that_stands_still_is_exchanged(site: UnderLoad, hosts: Hosts) -> None:
    (studio,) = studios(hosts[NODE])
    pids = _engine(hosts[NODE], studio)
    with site.during(STOPPED_ENGINE) as course:
        course.does(hosts[NODE], f"kill -STOP {pids}")
    assert studios(hosts[NODE]) == [studio]

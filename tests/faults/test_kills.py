"""Processes are killed, or stand still, while people are at work: studios, engines, both Traefiks."""

from __future__ import annotations

import pytest

from fleet import names
from tests.box.containers import kill_engine, kill_web, signal_engine, signal_first, studios
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
# An engine is ended once it has been silent for 120 s.
STOPPED_ENGINE = Fault("SIGSTOP of an engine", back_within_s=180)
NODE_PROXY = Fault("kill -9 of a node's Traefik", back_within_s=20)
GATEWAY_PROXY = Fault("kill -9 of the gateway's Traefik", back_within_s=20)


@pytest.mark.always
def test_a_killed_web_process_costs_seconds_and_no_job(site: UnderLoad, hosts: Hosts) -> None:
    (studio,) = studios(hosts[NODE])
    with site.during(KILLED_WEB):
        kill_web(hosts[NODE], studio.name)
    assert studios(hosts[NODE]) == [studio]


@pytest.mark.always
def test_a_killed_engine_is_noticed_by_nobody(site: UnderLoad, hosts: Hosts) -> None:
    (studio,) = studios(hosts[NODE])
    with site.during(KILLED_ENGINE):
        kill_engine(hosts[NODE], studio.name)
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
    with site.during(fault):
        signal_first(hosts[host], container, "KILL")


def test_a_web_process_that_stands_still_is_exchanged(site: UnderLoad, hosts: Hosts) -> None:
    (studio,) = studios(hosts[NODE])
    with site.during(STOPPED_WEB):
        signal_first(hosts[NODE], studio.name, "STOP")
    assert studios(hosts[NODE]) == [studio]


def test_an_engine_that_stands_still_is_exchanged(site: UnderLoad, hosts: Hosts) -> None:
    (studio,) = studios(hosts[NODE])
    with site.during(STOPPED_ENGINE):
        signal_engine(hosts[NODE], studio.name, "STOP")
    assert studios(hosts[NODE]) == [studio]

"""Hosts reboot, Docker restarts, the private network is cut: while people are at work."""

from __future__ import annotations

import time

import pytest

from tests.box.containers import studios
from tests.box.fixtures import Hosts
from tests.box.lab import command
from tests.faults.table import Fault
from tests.faults.under_load import UnderLoad

pytestmark = pytest.mark.fault

NODES = ("gpu-1", "gpu-2")
DOCKER = Fault("restart of dockerd", unnoticed=True)
# From the moment at which one may log in again.
NODE = Fault("reboot of a GPU node", back_within_s=30)
GATEWAY = Fault("reboot of the gateway", back_within_s=30)
WIREGUARD = Fault("WireGuard cut for 60 s", back_within_s=80)
CUT_S = 60

FILTER = "/run/vibevoice/docker-proxy/docker.sock"

# Nothing of WireGuard's comes or goes, as where a provider's network fails: neither side is told.
CUT = "; ".join(
    [
        "add table inet lab-cut",
        "add chain inet lab-cut out { type filter hook output priority -5; }",
        "add chain inet lab-cut in { type filter hook input priority -5; }",
        *(
            f"add rule inet lab-cut {way} udp {port} 51820 drop"
            for way in ("out", "in")
            for port in ("dport", "sport")
        ),
    ]
)


def test_a_restart_of_docker_is_noticed_by_nobody(site: UnderLoad, hosts: Hosts) -> None:
    before = {name: studios(hosts[name]) for name in NODES}
    with site.during(DOCKER):
        for name in (*NODES, "gateway"):
            # With its socket: a new one takes the place of the one that the filter may have opened.
            hosts[name].check_output("systemctl restart docker.socket docker.service")
            time.sleep(2)
    assert {name: studios(hosts[name]) for name in NODES} == before
    ask = f"curl -s -o /dev/null -m 10 -w '%{{http_code}}' --unix-socket {FILTER} http://docker/version"
    assert hosts["gpu-1"].check_output(ask) == "200"


@pytest.mark.always
def test_a_node_that_reboots_is_in_full_service_within_half_a_minute(site: UnderLoad, hosts: Hosts) -> None:
    before = studios(hosts["gpu-1"])
    with site.during(NODE) as course:
        command("reboot", "gpu-1")
        course.host_is_back()
    assert studios(hosts["gpu-1"]) == before


def test_a_gateway_that_reboots_is_in_full_service_within_half_a_minute(site: UnderLoad) -> None:
    with site.during(GATEWAY) as course:
        command("reboot", "gateway")
        course.host_is_back()


def test_a_cut_of_the_private_network_heals_by_itself(site: UnderLoad, hosts: Hosts) -> None:
    node = hosts["gpu-1"]
    with site.during(WIREGUARD) as course:
        # It heals also if this run does not live to see it.
        heal = f"systemd-run --quiet --on-active={CUT_S} --timer-property=AccuracySec=100ms"
        course.does(node, f"{heal} nft delete table inet lab-cut && nft '{CUT}'")
        time.sleep(CUT_S)
    assert node.run("nft list table inet lab-cut").rc != 0

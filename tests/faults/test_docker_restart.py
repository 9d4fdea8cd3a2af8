"""Docker restarts under the running site, as an upgrade makes it: nobody notices."""

from __future__ import annotations

from tests.box.containers import studios
from tests.box.fixtures import Hosts, Logins
from tests.box.lab import Lab
from tests.box.web import answers, session

FILTER = "/run/vibevoice/docker-proxy/docker.sock"


def test_studios_live_through_a_restart_of_docker(lab: Lab, hosts: Hosts, logins: Logins) -> None:
    node = hosts["gpu-1"]
    before = studios(node)
    # With its socket: a new one takes the place of the one that the filter may have opened.
    node.check_output("systemctl restart docker.socket docker.service")
    assert studios(node) == before
    with session(lab.domain, lab.gateway_ip, lab.ca_root) as web:
        answers(web, f"{logins['podcast'].url}health/ready", logins["podcast"].auth, 30)


def test_the_filter_still_reaches_docker_after_that(hosts: Hosts) -> None:
    ask = f"curl -s -o /dev/null -m 10 -w '%{{http_code}}' --unix-socket {FILTER} http://docker/version"
    assert hosts["gpu-1"].check_output(ask) == "200"

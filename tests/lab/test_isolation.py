"""What is open to whom: the hosts to strangers, the studios to anything, the metrics to the operator."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from testinfra.host import Host

from tests.box.containers import Studio, execute, studios
from tests.box.fixtures import Hosts, Logins
from tests.box.lab import Lab
from tests.box.web import TIMEOUT_S

SCAN = Path(__file__).with_name("scan.py")
DECLARED = {"gateway": [22, 80, 443], "gpu-1": [22], "gpu-2": [22]}
NODES = ("gpu-1", "gpu-2")
WG_GATEWAY = "10.88.0.1"
KNOCK = """
import socket, sys
from concurrent.futures import ThreadPoolExecutor

def opens(place):
    host, _, port = place.rpartition(":")
    try:
        socket.create_connection((host, int(port)), 2).close()
    except OSError:
        return False
    return True

places = sys.argv[1:] or PLACES
with ThreadPoolExecutor(len(places)) as pool:
    print(*[place for place, is_open in zip(places, pool.map(opens, places)) if is_open])
"""


@pytest.fixture(scope="module")
def visitor(hosts: Hosts) -> Host:
    """A host of the same network that is no part of the site, with Python for its knocks."""
    stranger = hosts["visitor"]
    if stranger.run("command -v python3").rc:
        stranger.check_output(
            "apt-get -qq update && DEBIAN_FRONTEND=noninteractive "
            "apt-get -qq -y install --no-install-recommends python3 >/dev/null"
        )
    return stranger


def _python(host: Host, program: str, *arguments: str) -> str:
    quoted = " ".join(f"'{argument}'" for argument in arguments)
    return host.check_output(f"python3 -c %s {quoted}", program)


def test_a_stranger_finds_the_declared_ports_and_no_other(lab: Lab, visitor: Host) -> None:
    addresses = {lab.hosts[name]: name for name in DECLARED}
    found = json.loads(_python(visitor, SCAN.read_text(), *addresses))
    assert {addresses[address]: ports for address, ports in found.items()} == DECLARED


@pytest.fixture
def route_into_the_site(lab: Lab, visitor: Host) -> Iterator[None]:
    """A stranger who guesses the site's inner networks and asks its hosts for the way."""
    ways = [("10.88.0.0/24", lab.gateway_ip), ("10.201.0.0/16", lab.hosts["gpu-1"])]
    for network, way in ways:
        visitor.check_output(f"ip route replace {network} via {way}")
    yield
    for network, _ in ways:
        visitor.check_output(f"ip route del {network}")


@pytest.mark.usefixtures("route_into_the_site")
def test_inner_addresses_are_not_reached_through_the_hosts(visitor: Host, hosts: Hosts) -> None:
    inner = [
        f"{WG_GATEWAY}:5000",
        f"{WG_GATEWAY}:443",
        "10.88.0.11:8080",
        "10.88.0.11:8081",
        "10.88.0.12:8080",
    ]
    inner += [f"{_address(hosts['gpu-1'], studio)}:8888" for studio in studios(hosts["gpu-1"])]
    assert _python(visitor, KNOCK, *inner) == ""


def test_a_node_cannot_be_asked_past_the_gateway(lab: Lab, hosts: Hosts) -> None:
    """Nodes trust the gateway alone: on wg0 one node's studios are closed to another node."""
    code = "curl -s -o /dev/null -m 5 -w '%{http_code}' http://10.88.0.11:8080/vibevoice/podcast/health/ready"
    assert hosts["gateway"].run(code).stdout == "200"
    assert hosts["gpu-2"].run(code).stdout in ("", "000")


def _all_studios(hosts: Hosts) -> list[tuple[Host, Studio]]:
    return [(hosts[name], studio) for name in NODES for studio in studios(hosts[name])]


def _address(host: Host, studio: Studio) -> str:
    template = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    return host.check_output("docker inspect -f %s %s", template, studio.name)


def test_a_studio_reaches_nothing_but_its_own(lab: Lab, hosts: Hosts) -> None:
    for host, studio in _all_studios(hosts):
        bridge = host.check_output(
            "docker network inspect -f '{{(index .IPAM.Config 0).Gateway}}' %s", studio.network
        )
        own = "127.0.0.1:8888"
        places = [
            own,
            # The internet, its names, and the lab's stand-ins for it.
            "198.51.100.1:443", "10.77.0.1:53", "10.77.0.1:8102", "hub.lab.test:8102",
            # Its host, by every address, and the site's inside.
            *(f"{bridge}:{port}" for port in (22, 8080, 8081)),
            *(f"{address}:22" for address in lab.hosts.values()),
            f"{lab.gateway_ip}:443", f"{WG_GATEWAY}:5000", "10.88.0.11:8080", "10.88.0.12:8081",
        ]  # fmt: skip
        code, reached = execute(host, studio.name, KNOCK.replace("PLACES", repr(places)), 120)
        assert (code, reached) == (0, own), studio.name


def test_each_studio_sees_exactly_the_gpu_it_was_given(hosts: Hosts) -> None:
    given: list[str] = []
    for host, studio in _all_studios(hosts):
        seen = host.check_output(
            "docker exec %s nvidia-smi --query-gpu=uuid --format=csv,noheader", studio.name
        )
        assert studio.gpus == (f"nvidia.com/gpu={seen.strip()}",)
        devices = "ls /dev | grep -cE '^nvidia[0-9]+$'"
        assert host.check_output("docker exec %s sh -c %s", studio.name, devices) == "1"
        given.append(seen.strip())
    assert len(given) == len(set(given)) == 3


def test_a_studio_has_no_rights_to_speak_of(hosts: Hosts) -> None:
    for host, studio in _all_studios(hosts):
        status = host.check_output("docker exec %s cat /proc/self/status", studio.name)
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert fields["Uid"].split()[0] == "10001", studio.name
        assert (int(fields["CapEff"], 16), int(fields["CapBnd"], 16)) == (0, 0)
        assert fields["NoNewPrivs"].strip() == "1"
        assert host.run("docker exec %s touch /opt/app/written", studio.name).rc != 0
        assert host.run("docker exec %s touch /weights/written", studio.name).rc != 0


def test_metrics_are_the_operators_alone(hosts: Hosts, logins: Logins, web: requests.Session) -> None:
    answer = hosts["gateway"].run("curl -fsS -m 5 http://10.88.0.11:8081/metrics/podcast/0")
    assert answer.rc == 0, answer.stderr
    assert 'vibevoice:ready{project="podcast"} 1.0' in answer.stdout
    login = logins["podcast"]
    for path in ("metrics", "metrics/podcast/0"):
        assert web.get(f"{login.url}{path}", auth=login.auth, timeout=TIMEOUT_S).status_code == 404


def test_what_listens_on_a_node_is_declared(hosts: Hosts) -> None:
    """From inside: nothing but sshd on all addresses, the rest on wg0 or the loopback address."""
    for name in NODES:
        lines = hosts[name].check_output("ss -Hltn").splitlines()
        listeners = {line.split()[3].rpartition(":")[::2] for line in lines}
        public = {
            (address, port)
            for address, port in listeners
            if not address.startswith(("127.", "[::1]", "10.88.0.")) and port != "22"
        }
        # systemd-resolved offers LLMNR (5355) where the distribution turns it on; the firewall keeps it in.
        assert {port for _, port in public} <= {"5355"}, name


def test_docker_is_asked_through_the_filter_alone(hosts: Hosts) -> None:
    """The node's Traefik has the filtered socket, which refuses everything but looking."""
    socket = "/run/vibevoice/docker-proxy/docker.sock"
    for name in NODES:
        ask = f"curl -s -o /dev/null -m 5 -w '%{{http_code}}' --unix-socket {socket} http://docker/"
        assert hosts[name].check_output(f"{ask}v1.44/containers/json") == "200"
        for refused in ("-X POST {}v1.44/containers/x/stop", "{}v1.44/images/json", "{}v1.44/info"):
            url = refused.format("http://docker/")
            denied = f"curl -s -o /dev/null -m 5 -w '%{{http_code}}' --unix-socket {socket} {url}"
            assert hosts[name].check_output(denied) == "403", f"{name}: {refused}"
        mounts = hosts[name].check_output(
            "docker inspect -f '{{json .HostConfig.Binds}} {{json .Mounts}}' vv-node-proxy"
        )
        assert "/var/run/docker.sock" not in mounts

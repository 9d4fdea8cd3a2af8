"""How the deploy's closing proof judges what hosts say."""

from __future__ import annotations

import pytest

from roles.verify import gpus, listening
from tests.unit.examples import example_site

SITE = example_site()
GATEWAY, NODE = SITE.gateway, SITE.nodes[0]

GATEWAY_SS = """\
udp   UNCONN 0      0            0.0.0.0:51820      0.0.0.0:*
udp   UNCONN 0      0               [::]:51820         [::]:*
udp   UNCONN 0      0         127.0.0.53%lo:53         0.0.0.0:*    users:(("systemd-resolve",pid=1,fd=1))
udp   UNCONN 0      0      192.0.2.10%eth0:68          0.0.0.0:*    users:(("systemd-network",pid=1,fd=1))
tcp   LISTEN 0      128          0.0.0.0:22         0.0.0.0:*    users:(("sshd",pid=1,fd=3))
tcp   LISTEN 0      4096      192.0.2.10:443        0.0.0.0:*    users:(("traefik",pid=1,fd=3))
tcp   LISTEN 0      4096      192.0.2.10:80         0.0.0.0:*    users:(("traefik",pid=1,fd=3))
tcp   LISTEN 0      4096       127.0.0.1:8082       0.0.0.0:*    users:(("traefik",pid=1,fd=3))
tcp   LISTEN 0      4096       10.88.0.1:5000       0.0.0.0:*    users:(("registry",pid=1,fd=3))
tcp   LISTEN 0      128             [::]:22            [::]:*    users:(("sshd",pid=1,fd=3))
tcp   LISTEN 0      128            [::1]:6010          [::]:*    users:(("sshd",pid=1,fd=3))
""".splitlines()

STRANGERS = {
    'tcp LISTEN 0 128 0.0.0.0:2375 0.0.0.0:* users:(("dockerd",pid=1,fd=3))': "dockerd",
    'tcp LISTEN 0 128 *:9100 *:* users:(("node_exporter",pid=1,fd=3))': "node_exporter",
    "tcp LISTEN 0 4096 0.0.0.0:5000 0.0.0.0:*": "",
    "tcp LISTEN 0 4096 10.88.0.1:8080 0.0.0.0:*": "",
    "tcp LISTEN 0 4096 [2001:db8::1]:443 [::]:*": "",
    "udp UNCONN 0 0 0.0.0.0:161 0.0.0.0:*": "",
}


def test_the_gateways_own_ports_are_expected() -> None:
    assert listening.unexpected(SITE, GATEWAY, listening.read(GATEWAY_SS)) == []


@pytest.mark.parametrize("line", STRANGERS)
def test_a_port_that_nobody_declared_is_named_with_its_program(line: str) -> None:
    found = listening.unexpected(SITE, GATEWAY, listening.read([*GATEWAY_SS, line]))
    assert [one.program for one in found] == [STRANGERS[line]]


def test_a_node_serves_on_its_private_address_alone() -> None:
    lines = ["tcp LISTEN 0 1 10.88.0.11:8080 0.0.0.0:*", "tcp LISTEN 0 1 10.88.0.11:8081 0.0.0.0:*"]
    assert listening.unexpected(SITE, NODE, listening.read(lines)) == []
    public = listening.read(["tcp LISTEN 0 1 0.0.0.0:8080 0.0.0.0:*"])
    assert listening.unexpected(SITE, NODE, public) == public


def test_a_declared_extra_port_may_listen() -> None:
    site = example_site(firewall={"extra_tcp": [9100]})
    assert listening.unexpected(site, NODE, listening.read(["tcp LISTEN 0 1 *:9100 *:*"])) == []


SAID = [
    "gpu 00000000:41:00.0, GPU-b",
    "gpu 00000000:01:00.0, GPU-a",
    "studio vv-p1-0-x 0",
    "studio vv-p1-1-x 1",
    "sees vv-p1-0-x GPU 0: NVIDIA L40S (UUID: GPU-a)",
    "sees vv-p1-1-x GPU 0: NVIDIA L40S (UUID: GPU-b)",
]


def test_studios_that_see_their_own_gpu_are_fine() -> None:
    assert gpus.wrong(SAID, expected=2) == []


WRONG = {
    "sees vv-p1-0-x GPU 1: NVIDIA L40S (UUID: GPU-b)": "vv-p1-0-x shall see GPU-a and nothing else",
    "studio vv-p1-2-x 2": "there are 2 GPUs",
}


@pytest.mark.parametrize("line", WRONG)
def test_a_studio_that_sees_anything_else_is_named(line: str) -> None:
    said = "\n".join(gpus.wrong([*SAID, line], expected=len([s for s in [*SAID, line] if "studio " in s])))
    assert WRONG[line] in said


def test_a_studio_that_sees_nothing_or_another_gpu_is_named() -> None:
    assert "says: nothing" in gpus.wrong(SAID[:-1], expected=2)[0]
    swapped = [line.replace("(UUID: GPU-b)", "(UUID: GPU-a)") for line in SAID]
    assert "shall see GPU-b" in gpus.wrong(swapped, expected=2)[0]


def test_a_missing_studio_is_noticed() -> None:
    assert gpus.wrong(SAID, expected=3) == ["2 studios run, 3 are declared. See docker ps -a."]

"""What is found around a container that is to be replaced, and two real Traefiks on the same ports."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
import urllib3

from fleet import names
from roles import gateway, node_proxy
from roles.node_proxy import config as node_config
from steps.beside import SHARES_LABEL, Around, Serving, read, script
from steps.containers import Container
from tests.unit.examples import example_site
from tests.unit.traefik_process import gateway_on_loopback, traefik

SITE = example_site()


def test_a_container_alone_is_as_its_labels_say() -> None:
    assert read(["vv-traefik running s=ab12 p=yes 0123456789ab"]) == Around("running", "ab12", True, True)
    assert read(["vv-traefik exited s=ab12 p= 0123456789ab"]) == Around("exited", "ab12", False, False)
    assert read([]) == Around()


def test_one_that_drains_is_nobodys_business() -> None:
    lines = [
        "vv-traefik running s=ab12 p=yes 0123456789ab",
        "vv-traefik-old-ba9876543210 running s=cd34 p=yes ba9876543210",
        "vibevoice-retire-ba9876543210.service",
    ]
    assert read(lines) == Around("running", "ab12", True, True)


@pytest.mark.parametrize("name", ["vv-traefik-new", "vv-traefik-old-ba9876543210"])
def test_what_a_killed_run_left_is_seen(name: str) -> None:
    there = "vv-traefik running s=ab12 p=yes 0123456789ab"
    runs, dead = f"{name} running s=cd34 p=yes ba9876543210", f"{name} exited s=cd34 p=yes ba9876543210"
    assert read([runs, there]) == Around("running", "ab12", True, True, stray=True)
    assert read([there, dead]) == Around("running", "ab12", True, True, dead=(name,))
    # It serves alone, between the two renames.
    assert read([runs]).serving


@pytest.mark.parametrize("shares", [True, False])
def test_the_shell_can_read_it(shares: bool) -> None:
    for spec, serving in _proxies():
        subprocess.run(["sh", "-n"], input=script(spec, serving, 600, shares), text=True, check=True)


def test_both_proxies_say_that_they_share_their_ports() -> None:
    for spec, _ in _proxies():
        assert spec.labels[SHARES_LABEL] == "yes"


def test_every_entry_point_shares_its_port() -> None:
    where = node_config.layout(SITE, SITE.nodes[0])
    for static in (gateway.config.static(SITE, gateway.config.layout(SITE)), node_config.static(SITE, where)):
        assert static.count("reusePort: true") == static.count("    address: ") > 2


def test_a_studio_has_to_be_served_by_a_new_node_proxy_too() -> None:
    node = SITE.nodes[0]
    where = node_config.layout(SITE, node)
    urls = [ask[-1] for ask in node_proxy.serving(SITE, node, where).asks]
    for project in SITE.projects_on(node.host):
        assert f"http://{where.studios}{names.path(project.name)}/health/live" in urls


def test_two_traefiks_serve_on_the_same_ports(tmp_path: Path) -> None:
    where = gateway_on_loopback(SITE, tmp_path)
    static = tmp_path / "traefik.yml"

    def ping() -> int:
        # Each time a new connection, dealt to either.
        with urllib3.PoolManager() as pool:
            return pool.request("GET", f"http://{where.internal}/ping", retries=False, timeout=5).status

    with traefik(static, where.internal, tmp_path / "old.log"):
        with traefik(static, where.internal, tmp_path / "new.log"):
            time.sleep(2)
            assert {ping() for _ in range(40)} == {200}
        assert {ping() for _ in range(10)} == {200}


def _proxies() -> list[tuple[Container, Serving]]:
    node = SITE.nodes[0]
    where = node_config.layout(SITE, node)
    return [
        (gateway.traefik(SITE, []), gateway.serving(SITE)),
        (node_proxy.traefik(SITE, node), node_proxy.serving(SITE, node, where)),
    ]

"""The rendered Traefik files: as the golden ones, and loaded by the real Traefik without a complaint."""

from __future__ import annotations

from pathlib import Path

import pytest
import urllib3

from roles.gateway import config as gateway
from roles.node_proxy import config as node
from roles.routes import config as routes
from tests.unit.examples import example_site
from tests.unit.golden_files import same
from tests.unit.traefik_process import gateway_on_loopback, traefik, wait_until

SITE = example_site(traefik={"dashboard_users": ["root"]})
RENDERED = {
    "gateway/traefik.yml": gateway.static(SITE, gateway.layout(SITE)),
    "gateway/site.yml": gateway.dynamic(SITE, gateway.layout(SITE)),
    "gateway/routes.yml": routes.routes(SITE),
    "node/traefik.yml": node.static(SITE, node.layout(SITE, SITE.nodes[0])),
    "node/node.yml": node.dynamic(),
    "node/again.yml": node.again(),
}


@pytest.mark.parametrize("name", RENDERED)
def test_a_rendered_file_is_the_golden_one(name: str) -> None:
    assert same(f"traefik/{name}", RENDERED[name])


@pytest.mark.parametrize("challenge", ["http", "tls", "dns"])
def test_traefik_loads_the_gateway_without_a_complaint(tmp_path: Path, challenge: str) -> None:
    acme = {"email": "a@example.com", "challenge": challenge, "server": "https://acme.invalid/dir"}
    if challenge == "dns":
        acme["dns_provider"] = "manual"
    site = example_site(acme=acme, traefik={"dashboard_users": ["root"]})
    where = gateway_on_loopback(site, tmp_path)
    (tmp_path / "dynamic/routes.yml").write_text(routes.routes(site))
    with traefik(tmp_path / "traefik.yml", where.internal, tmp_path / "log") as running:
        wait_until(lambda: "vv-p10@file" in running.routers(), 10, "the routes were not loaded")
        assert running.disabled() == []
        expected = {
            *("vv-p1@file", "vv-p1_page@file", "vv-p10@file", "site-health@file", "door-check@file"),
            *("door-pages@file", "dashboard@file", "status@file"),
        }
        assert expected <= running.routers()
        assert running.complaints() == []
        # The dashboard has a login; what a deploy asks has none, and shows no password hash.
        assert dashboard(where.internal) == 401
        assert dashboard(where.internal, "root:look") == 200
        assert urllib3.request("GET", f"http://{where.internal}/api/http/middlewares").status == 401
        assert urllib3.request("GET", f"http://{where.internal}/api/rawdata").status == 401


def dashboard(internal: str, login: str | None = None) -> int:
    headers = urllib3.make_headers(basic_auth=login) if login else {}
    return urllib3.request("GET", f"http://{internal}/dashboard/", headers=headers, redirect=False).status


def test_a_site_without_projects_loads_too(tmp_path: Path) -> None:
    site = example_site(projects=[])
    assert routes.routes(site).endswith("http: {}\n")

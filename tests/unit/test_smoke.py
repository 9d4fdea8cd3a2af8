"""What smoke says of a site that answers strangers as it should not."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from fleet import Site, outside
from roles.smoke import checks
from tests.unit.examples import example_site
from tests.unit.traefik_process import free_port, issue_certificate

DOMAIN = "studio.example.test"
LOGIN = f"https://{DOMAIN}/vibevoice/login?next=/vibevoice/p1/"


class Answer(BaseHTTPRequestHandler):
    """For each path what the server is told to say; 404 for all others."""

    def do_GET(self) -> None:
        server: Any = self.server
        status, headers, body = server.says.get(self.path, (404, {}, ""))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    acme = {"email": "ops@example.com", "root": tmp_path / "root.pem"}
    return example_site(domain=DOMAIN, acme=acme)


@pytest.fixture
def says(site: Site, tmp_path: Path) -> Iterator[tuple[dict[str, Any], requests.Session]]:
    """What a server in the gateway's place says, by path; and a session that finds it there."""
    key = issue_certificate(DOMAIN, tmp_path / "acme.json", tmp_path / "root.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "root.pem", key)
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    server.says = {}
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    with outside.session(site) as web:
        web.mount(f"https://{DOMAIN}", outside._Pinned(DOMAIN, f"127.0.0.1:{server.server_port}"))
        yield server.says, web
    server.shutdown()
    server.server_close()


Says = tuple[dict[str, Any], requests.Session]


def test_a_browser_without_login_has_to_get_the_login_page(site: Site, says: Says) -> None:
    answers, web = says
    project = site.projects[0]
    answers["/vibevoice/p1/"] = (303, {"Location": LOGIN}, "")
    answers["/vibevoice/login?next=/vibevoice/p1/"] = (200, {}, "<form>")
    assert checks._browser(site, web, project) == ""
    answers["/vibevoice/p1/"] = (200, {}, "the studio, to everybody")
    assert "gets 200" in checks._browser(site, web, project)
    answers["/vibevoice/p1/"] = (503, {}, "")
    assert "gets 503" in checks._browser(site, web, project)


@pytest.mark.parametrize("status", [200, 404, 503])
def test_a_program_without_login_has_to_get_401(site: Site, says: Says, status: int) -> None:
    answers, web = says
    answers["/vibevoice/p1/"] = (401, {}, "")
    assert checks._program(site, web, site.projects[0]) == ""
    answers["/vibevoice/p1/"] = (status, {}, "")
    assert checks._program(site, web, site.projects[0]) == f"gets {status}, not 401"


def test_what_is_not_declared_and_found_is_named(site: Site, says: Says) -> None:
    answers, web = says
    assert checks._not_declared(site, web) == ""
    answers["/dashboard/"] = (200, {}, "Traefik")
    answers["/metrics"] = (401, {}, "")
    assert checks._not_declared(site, web) == "/dashboard/ answers 200, /metrics answers 401"


def test_a_door_without_a_waiting_page_is_named(site: Site, says: Says) -> None:
    answers, web = says
    path = "/vibevoice/door/waiting?project=p1"
    html = {"Content-Type": "text/html; charset=utf-8"}
    answers[path] = (503, html, '<meta http-equiv="refresh" content="5">')
    assert checks._waiting(site, web, site.projects[0]) == ""
    answers[path] = (502, {}, "Bad Gateway")
    assert checks._waiting(site, web, site.projects[0]) == "the door answers 502 without a page"


def test_a_site_that_does_not_answer_at_all_is_named_by_every_check(tmp_path: Path) -> None:
    issue_certificate(DOMAIN, tmp_path / "acme.json", tmp_path / "root.pem")
    acme = {"email": "ops@example.com", "root": tmp_path / "root.pem"}
    # An address of this machine that nobody listens on.
    gateway = {"host": "gw.example.com", "address": "127.99.99.99"}
    nodes = [
        {"host": f"127.99.99.{n}", "gpus": 4, "gpu_memory": "48GiB", "ssh": {"port": free_port()}}
        for n in (1, 2)
    ]
    projects = [{"name": "p1", "node": "127.99.99.1", "gpus": 1, "model": "tiny", "users": ["ana"]}]
    site = example_site(domain=DOMAIN, acme=acme, gateway=gateway, nodes=nodes, projects=projects)
    found = checks.run(site, {})
    silent = [check for check in found if check.what != "no other port"]
    assert len(silent) == 3 + 4 and all(check.wrong for check in silent), found
    assert "answer" in silent[0].wrong

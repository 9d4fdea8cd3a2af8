"""What the gateway's Traefik does with requests, asked of the real one with small real studios behind it."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import urllib3

from fleet import Site
from roles.gateway import config as gateway
from roles.routes import config as routes
from tests.unit.examples import example_site
from tests.unit.traefik_process import (
    Traefik,
    gateway_on_loopback,
    studio,
    traefik,
    wait_until,
)

ANA = urllib3.make_headers(basic_auth="ana:ana-of-p1")


@dataclass
class Box:
    """A gateway that serves: where, and whose certificate to trust."""

    site: Site
    where: gateway.Layout
    root: Path
    traefik: Traefik
    node_urls: dict[str, str]

    def get(self, path: str, **options: Any) -> urllib3.BaseHTTPResponse:
        """One HTTPS request to the domain, as a browser makes it; no redirect is followed."""
        host, port = self.where.websecure.split(":")
        pool = urllib3.HTTPSConnectionPool(
            host,
            int(port),
            ca_certs=str(self.root),
            server_hostname=self.site.domain,
            assert_hostname=self.site.domain,
        )
        headers = {"Host": self.site.domain} | options.pop("headers", {})
        options = {"redirect": False, "retries": False, "timeout": 10} | options
        return pool.request("GET", path, headers=headers, **options)

    def publish(self, site: Site) -> None:
        """Put the routes of a site in place as the role does: by a rename."""
        file = Path(self.where.directory, "dynamic/routes.yml")
        new = file.with_suffix(".yml.vv-new")
        new.write_text(routes.routes(site, self.node_urls))
        new.replace(file)


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    folder = tmp_path_factory.mktemp("gateway")
    site = example_site()
    where = gateway_on_loopback(site, folder)
    with (
        studio("one") as one,
        studio("two") as two,
        traefik(folder / "traefik.yml", where.internal, folder / "log") as running,
    ):
        urls = dict(zip([node.host for node in site.nodes], [one, two], strict=True))
        box = Box(site, where, folder / "root.pem", running, urls)
        box.publish(site)
        wait_until(lambda: "vv-p10@file" in running.routers(), 10, "the routes were not loaded")
        yield box


def test_a_project_does_not_swallow_another_whose_name_it_begins(box: Box) -> None:
    ana_of_p10 = urllib3.make_headers(basic_auth="ana:ana-of-p10")
    assert box.get("/vibevoice/p1/x", headers=ANA).json()["name"] == "one"
    assert box.get("/vibevoice/p10/x", headers=ana_of_p10).json()["name"] == "two"
    assert box.get("/vibevoice/p1x/", headers=ANA).status == 404


def test_an_unknown_project_is_not_found(box: Box) -> None:
    assert box.get("/vibevoice/p2/", headers=ANA).status == 404
    assert box.get("/", headers=ANA).status == 404


def test_a_missing_slash_is_added_and_the_query_kept(box: Box) -> None:
    response = box.get("/vibevoice/p1?voice=a&x=%20b", headers=ANA)
    assert response.status == 302
    assert response.headers["Location"].endswith("/vibevoice/p1/?voice=a&x=%20b")
    assert box.get("/vibevoice/p1", headers=ANA).headers["Location"].endswith("/vibevoice/p1/")


@pytest.mark.parametrize("login", [None, "ana:ana-of-p10", "ana:wrong", "nobody:ana-of-p1", "ana:"])
def test_only_a_login_of_the_project_gets_in(box: Box, login: str | None) -> None:
    headers = urllib3.make_headers(basic_auth=login) if login else {}
    assert box.get("/vibevoice/p1/", headers=headers).status == 401


def test_every_user_of_a_project_gets_in(box: Box) -> None:
    assert box.get("/vibevoice/p1/", headers=urllib3.make_headers(basic_auth="li:li-of-p1")).status == 200


def test_the_studio_never_sees_the_password(box: Box) -> None:
    assert "authorization" not in box.get("/vibevoice/p1/", headers=ANA).json()["headers"]


def test_the_node_gets_the_whole_path_and_where_the_browser_is(box: Box) -> None:
    seen = box.get("/vibevoice/p1/v1/x?a=b", headers=ANA).json()
    assert seen["path"] == "/vibevoice/p1/v1/x?a=b"
    assert seen["headers"]["x-forwarded-proto"] == "https"
    assert seen["headers"]["host"] == box.site.domain


def test_the_node_cookie_is_the_projects_own_and_closed(box: Box) -> None:
    cookie = box.get("/vibevoice/p1/", headers=ANA).headers["Set-Cookie"]
    name, *attributes = cookie.split("; ")
    assert name.startswith("vv_p1_node=")
    assert set(attributes) == {"Path=/vibevoice/p1", "HttpOnly", "Secure", "SameSite=Lax"}


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd"])
def test_pages_are_compressed_and_streams_and_audio_are_not(box: Box, encoding: str) -> None:
    headers = ANA | {"Accept-Encoding": encoding}

    def encoded(path: str) -> str | None:
        return box.get(path, headers=headers, preload_content=False).headers.get("Content-Encoding")

    assert encoded("/vibevoice/p1/page") == encoding
    assert encoded("/vibevoice/p1/events") is None
    assert encoded("/vibevoice/p1/audio.wav") is None


def test_headers_that_pass_for_forwarded_ones_are_deleted(box: Box) -> None:
    spoofed = {"X_Forwarded_Host": "evil.example", "X-Forwarded-For": "203.0.113.9", "X_Auth_User": "root"}
    seen = box.get("/vibevoice/p1/", headers=ANA | spoofed).json()["headers"]
    assert "x_forwarded_host" not in seen
    assert seen["x-forwarded-for"] == "127.0.0.1"
    assert seen["x-forwarded-host"] == box.site.domain


@pytest.mark.parametrize("path", ["/vibevoice/p1/..%2fp10/", "/vibevoice/p1/%2fetc", "/vibevoice/p1/a%00b"])
def test_encoded_separators_are_refused(box: Box, path: str) -> None:
    assert box.get(path, headers=ANA).status == 400


def test_no_way_leads_around_a_projects_login(box: Box) -> None:
    for path in ("/vibevoice/p10/../p1/", "/vibevoice//p1/", "/vibevoice/p1/..%2e/", "/vibevoice/%70%31/"):
        assert box.get(path).status in (400, 401, 404), path


def test_answers_carry_the_security_headers(box: Box) -> None:
    headers = box.get("/vibevoice/p1/", headers=ANA).headers
    assert headers["Strict-Transport-Security"] == "max-age=31536000"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "SAMEORIGIN"
    assert "Server" not in headers


def test_plain_http_is_redirected(box: Box) -> None:
    response = urllib3.request(
        "GET",
        f"http://{box.where.web}/vibevoice/p1/?a=b",
        headers={"Host": box.site.domain},
        redirect=False,
    )
    port = box.where.websecure.rpartition(":")[2]
    assert response.status == 301
    assert response.headers["Location"] == f"https://{box.site.domain}:{port}/vibevoice/p1/?a=b"


def handshake(box: Box, name: str, newest: ssl.TLSVersion) -> str | None:
    """TLS version agreed on by a client that takes anything up to `newest`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    # Or this machine's own OpenSSL refuses what Traefik shall refuse.
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = ssl.TLSVersion.MINIMUM_SUPPORTED, newest
    host, port = box.where.websecure.split(":")
    with (
        socket.create_connection((host, int(port)), 5) as plain,
        context.wrap_socket(plain, server_hostname=name) as tls,
    ):
        return tls.version()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_tls_and_other_names_are_refused(box: Box) -> None:
    assert handshake(box, box.site.domain, ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
    with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
        handshake(box, box.site.domain, ssl.TLSVersion.TLSv1_1)
    with pytest.raises(ssl.SSLError):
        handshake(box, "other.example.com", ssl.TLSVersion.TLSv1_3)


def test_the_site_answers_before_its_first_project(box: Box) -> None:
    assert box.get("/vibevoice/health").status == 200


def test_status_and_dashboard_are_not_public(box: Box) -> None:
    for path in ("/api/http/routers", "/dashboard/", "/metrics", "/ping"):
        assert box.get(path).status == 404


def test_the_access_log_has_no_query(box: Box) -> None:
    box.get("/vibevoice/p1/?session_hash=secret", headers=ANA)
    wait_until(lambda: "/vibevoice/p1/" in box.traefik.log.read_text(), 5, "no access log")
    assert "session_hash" not in box.traefik.log.read_text()


def test_a_project_comes_and_goes_without_disturbing_another(box: Box) -> None:
    projects = [project.model_dump(exclude_defaults=True) for project in box.site.projects]
    added = {**projects[0], "name": "p2", "users": ["ana"]}
    ana_of_p2 = {"headers": urllib3.make_headers(basic_auth="ana:ana-of-p2")}
    box.publish(example_site(projects=[*projects, added]))
    wait_until(lambda: box.get("/vibevoice/p2/", **ana_of_p2).status == 200, 10, "p2 was not routed")
    assert box.get("/vibevoice/p1/", headers=ANA).status == 200
    box.publish(box.site)
    wait_until(lambda: box.get("/vibevoice/p2/", **ana_of_p2).status == 404, 10, "p2 is still routed")
    assert box.get("/vibevoice/p1/", headers=ANA).status == 200


def test_traefik_has_nothing_to_complain_about_in_the_end(box: Box) -> None:
    assert box.traefik.disabled() == []
    assert box.traefik.complaints() == []

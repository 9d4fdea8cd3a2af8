"""What the gateway does with requests: the real Traefik and both real doors, before studios that echo."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator

import pytest
import urllib3

from tests.unit.examples import example_site
from tests.unit.gateway_box import ANA, HTML, LI, Box, serving
from tests.unit.traefik_process import wait_until


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    with serving(tmp_path_factory.mktemp("gateway")) as box:
        yield box


# --- who gets in ---


def test_a_project_does_not_swallow_another_whose_name_it_begins(box: Box) -> None:
    assert box.get("/vibevoice/p1/x", headers=ANA).json()["project"] == "one"
    assert box.get("/vibevoice/p10/x", headers=ANA).json()["project"] == "two"
    assert box.get("/vibevoice/p1x/", headers=ANA).status == 404


def test_an_unknown_project_is_not_found(box: Box) -> None:
    assert box.get("/vibevoice/p2/", headers=ANA).status == 404


def test_session_key_and_password_open_a_project(box: Box) -> None:
    for headers in (box.session, box.key, ANA):
        assert box.get("/vibevoice/p1/", headers=headers).json()["project"] == "one"


def test_every_user_of_a_project_gets_in(box: Box) -> None:
    assert box.seen("/vibevoice/p1/", headers=LI)["x-auth-user"] == "li"


@pytest.mark.parametrize("login", ["ana:wrong", "nobody:the password of ana", "ana:", ":"])
def test_a_wrong_login_gets_in_nowhere(box: Box, login: str) -> None:
    headers = urllib3.make_headers(basic_auth=login)
    assert box.get("/vibevoice/p1/", headers=headers).status == 401


def test_who_is_of_another_project_is_told_so(box: Box) -> None:
    answer = box.get("/vibevoice/p10/", headers=LI)
    assert (answer.status, answer.json()["error"]["type"]) == (403, "permission_error")
    assert box.get("/vibevoice/p10/", headers=box.key).status == 403


def test_who_is_not_logged_in_is_asked_to(box: Box) -> None:
    program = box.get("/vibevoice/p1/v1/models")
    assert (program.status, program.json()["error"]["type"]) == (401, "authentication_error")
    browser = box.get("/vibevoice/p1/?voice=a", headers=HTML)
    assert browser.status == 303
    assert browser.headers["Location"] == (
        f"https://{box.site.domain}/vibevoice/login?next=%2Fvibevoice%2Fp1%2F%3Fvoice%3Da"
    )


def test_no_way_leads_around_a_projects_door(box: Box) -> None:
    for path in ("/vibevoice/p10/../p1/", "/vibevoice//p1/", "/vibevoice/p1/..%2e/", "/vibevoice/%70%31/"):
        assert box.get(path).status in (400, 401, 404), path


# --- what a studio sees ---


def test_the_studio_never_sees_password_key_or_the_doors_cookies(box: Box) -> None:
    for headers in (box.session, box.key, ANA, ANA | box.session):
        seen = box.seen("/vibevoice/p1/", headers=headers)
        assert not {"authorization", "cookie"} & seen.keys()


def test_the_studio_sees_its_own_cookies(box: Box) -> None:
    cookies = f"vv_p1_gpu=a; {box.session['Cookie']}; session_hash=b; __Host-vv_device=x; vv_p1_node=c"
    seen = box.seen("/vibevoice/p1/", headers={"Cookie": cookies})
    assert seen["cookie"] == "vv_p1_gpu=a; session_hash=b; vv_p1_node=c"


def test_the_studio_is_told_who_it_is_and_what_they_may(box: Box) -> None:
    for headers in (box.session, box.key, ANA):
        seen = box.seen("/vibevoice/p1/", headers=headers)
        assert (seen["x-auth-user"], seen["x-auth-project"]) == ("ana", "p1")
        assert seen["x-auth-limits"].startswith("v1.")


def test_what_a_client_says_of_itself_never_arrives(box: Box) -> None:
    names = ("X-Auth-User", "X_Auth_User", "X.Auth.User", "x-auth_project", "X_AUTH_LIMITS", "X-Auth-Limits")
    seen = box.seen("/vibevoice/p1/", headers=ANA | dict.fromkeys(names, "root"))
    ours = {name for name in seen if "auth" in name}
    assert ours == {"x-auth-user", "x-auth-project", "x-auth-limits"}
    assert "root" not in seen.values()


def test_headers_that_pass_for_forwarded_ones_are_deleted(box: Box) -> None:
    spoofed = {"X_Forwarded_Host": "evil.example", "X-Forwarded-For": "203.0.113.9"}
    seen = box.seen("/vibevoice/p1/", headers=ANA | spoofed)
    assert "x_forwarded_host" not in seen
    assert seen["x-forwarded-for"] == "127.0.0.1"
    assert seen["x-forwarded-host"] == box.site.domain


def test_the_node_gets_the_whole_path_and_where_the_browser_is(box: Box) -> None:
    assert box.get("/vibevoice/p1/v1/x?a=b", headers=ANA).json()["path"] == "/vibevoice/p1/v1/x?a=b"
    seen = box.seen("/vibevoice/p1/v1/x?a=b", headers=ANA)
    assert seen["x-forwarded-proto"] == "https"
    assert seen["host"] == box.site.domain


def test_a_body_arrives_whole(box: Box) -> None:
    body = bytes(range(128)) * 10_000
    answer = box.get("/vibevoice/p1/v1/x", "POST", headers=box.key, body=body).json()
    assert answer["method"] == "POST"
    assert answer["body"].encode("latin-1") == body


# --- what a client sees ---


def test_the_domain_leads_to_the_portal(box: Box) -> None:
    answer = box.get("/", headers=HTML)
    assert answer.status == 302
    assert answer.headers["Location"].endswith(f"{box.site.domain}/vibevoice/")
    portal = box.get("/vibevoice/", headers=HTML | box.session)
    assert portal.status == 200
    assert b"/vibevoice/p1/" in portal.data


def test_a_missing_slash_is_added_and_the_query_kept(box: Box) -> None:
    response = box.get("/vibevoice/p1?voice=a&x=%20b", headers=ANA)
    assert response.status == 302
    assert response.headers["Location"].endswith("/vibevoice/p1/?voice=a&x=%20b")
    assert box.get("/vibevoice/p1", headers=ANA).headers["Location"].endswith("/vibevoice/p1/")


def test_the_node_cookie_is_the_projects_own_and_closed(box: Box) -> None:
    cookie = box.get("/vibevoice/p1/", headers=ANA).headers["Set-Cookie"]
    name, *attributes = cookie.split("; ")
    assert name.startswith("vv_p1_node=")
    assert set(attributes) == {"Path=/vibevoice/p1", "HttpOnly", "Secure", "SameSite=Lax"}


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd"])
def test_pages_are_compressed_and_streams_and_audio_are_not(box: Box, encoding: str) -> None:
    headers = ANA | {"Accept-Encoding": encoding}

    def encoded(path: str) -> str | None:
        return box.get(path, headers=headers, decode_content=False).headers.get("Content-Encoding")

    assert encoded("/vibevoice/p1/page") == encoding
    assert encoded("/vibevoice/p1/events") is None
    assert encoded("/vibevoice/p1/audio.wav") is None


@pytest.mark.parametrize("path", ["/vibevoice/p1/..%2fp10/", "/vibevoice/p1/%2fetc", "/vibevoice/p1/a%00b"])
def test_encoded_separators_are_refused(box: Box, path: str) -> None:
    assert box.get(path, headers=ANA).status == 400


def test_answers_carry_the_security_headers(box: Box) -> None:
    headers = box.get("/vibevoice/p1/", headers=ANA).headers
    assert headers["Strict-Transport-Security"] == "max-age=31536000"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "SAMEORIGIN"
    assert "Server" not in headers


def test_a_studios_answer_does_not_reach_beyond_its_own_path(box: Box) -> None:
    """It shares its origin with the login page."""
    box.studios[0].manners = {"Service-Worker-Allowed": "/", "Clear-Site-Data": '"cookies"', "X-Mine": "a"}
    for headers in (box.key, box.session | HTML):
        answer = box.get("/vibevoice/p1/", headers=headers)
        assert (answer.status, answer.headers["X-Mine"]) == (200, "a")
        assert not {"Service-Worker-Allowed", "Clear-Site-Data"} & answer.headers.keys()
    box.studios[0].manners = {}


@pytest.mark.parametrize("status", [429, 503])
def test_what_an_api_says_of_itself_passes_unchanged(box: Box, status: int) -> None:
    words = json.dumps({"error": {"message": "Busy", "code": "queue_full"}}).encode()
    box.studios[0].answers["/vibevoice/p1/v1/busy"] = status, "application/json", words
    for method in ("GET", "POST"):
        answer = box.get("/vibevoice/p1/v1/busy", method, headers=box.key)
        assert (answer.status, answer.data) == (status, words)
    # A browser's fetch() accepts whatever comes.
    assert box.get("/vibevoice/p1/v1/busy", headers=box.session | {"Accept": "*/*"}).data == words


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
    for path in ("/api/http/routers", "/dashboard/", "/metrics", "/ping", "/check/p1", "/health"):
        assert box.get(path, headers=ANA).status == 404


def test_the_access_log_has_no_query(box: Box) -> None:
    box.get("/vibevoice/p1/?session_hash=secret", headers=ANA)
    wait_until(lambda: "/vibevoice/p1/" in box.traefik.log.read_text(), 5, "no access log")
    assert "session_hash" not in box.traefik.log.read_text()


def test_a_project_comes_and_goes_without_disturbing_another(box: Box) -> None:
    projects = [project.model_dump(exclude_defaults=True) for project in box.site.projects]
    added = {**projects[0], "name": "p2", "users": ["ana"]}
    box.publish(example_site(projects=[*projects, added]))
    wait_until(lambda: box.get("/vibevoice/p2/", headers=ANA).status == 200, 10, "p2 was not routed")
    assert box.get("/vibevoice/p1/", headers=box.session).status == 200
    box.publish(box.site)
    wait_until(lambda: box.get("/vibevoice/p2/", headers=ANA).status == 404, 10, "p2 is still routed")
    assert box.get("/vibevoice/p1/", headers=box.session).status == 200


def test_traefik_has_nothing_to_complain_about_in_the_end(box: Box) -> None:
    assert box.traefik.disabled() == []
    assert box.traefik.complaints() == []

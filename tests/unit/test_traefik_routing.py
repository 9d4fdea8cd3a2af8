"""What the gateway does with requests: the real Traefik and both real doors, before studios that echo."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import urllib3

from fleet import Site
from roles.gateway import config as gateway
from roles.routes import config as routes
from tests.box.break_ins.honest import SESSION, Honest
from tests.box.raw import Place
from tests.unit.door_process import Door, door, doors, tell
from tests.unit.echo_studio import Echo, echo_studio
from tests.unit.examples import example_site
from tests.unit.traefik_process import Traefik, gateway_on_loopback, traefik, wait_until

ANA = urllib3.make_headers(basic_auth="ana:the password of ana")
LI = urllib3.make_headers(basic_auth="li:the password of li")
HTML = {"Accept": "text/html,application/xhtml+xml"}
PAGE = b"<p>hello</p>" * 1000
AUDIO = bytes(20_000)
EVENTS = b"event: progress\ndata: 1\n\n" * 200


@dataclass
class Box:
    """A gateway that serves, and what is behind it. ``ends`` end one studio each, before the rest."""

    site: Site
    where: gateway.Layout
    folder: Path
    traefik: Traefik
    studios: list[Echo]
    ends: list[ExitStack]
    stack: ExitStack
    doors: list[Door]

    @cached_property
    def pool(self) -> urllib3.HTTPSConnectionPool:
        host, port = self.where.websecure.split(":")
        return urllib3.HTTPSConnectionPool(
            host,
            int(port),
            ca_certs=str(self.folder / "root.pem"),
            server_hostname=self.site.domain,
            assert_hostname=self.site.domain,
            maxsize=10,
        )

    def get(self, path: str, method: str = "GET", **options: Any) -> urllib3.BaseHTTPResponse:
        """One HTTPS request to the domain, as a browser makes it; no redirect is followed."""
        headers = {"Host": self.site.domain} | options.pop("headers", {})
        options = {"redirect": False, "retries": False, "timeout": 10} | options
        return self.pool.request(method, path, headers=headers, **options)

    def seen(self, path: str, **options: Any) -> dict[str, str]:
        """The headers that the studio got, names in lower case; an AssertionError if one came twice."""
        response = self.get(path, **options)
        assert response.status == 200, response.data
        pairs = [(name.lower(), value) for name, value in response.json()["headers"]]
        assert len(pairs) == len(dict(pairs)), pairs
        return dict(pairs)

    @cached_property
    def visitor(self) -> Honest:
        """Ana's browser, logged in."""
        host, port = self.where.websecure.split(":")
        place = Place(host, int(port), self.site.domain, self.folder / "root.pem")
        return Honest(place).log_in("ana", "the password of ana")

    @cached_property
    def session(self) -> dict[str, str]:
        """What ana's browser sends."""
        return {"Cookie": f"{SESSION}={self.visitor.cookies[SESSION]}"}

    @cached_property
    def key(self) -> dict[str, str]:
        """What a program of ana's sends, for p1."""
        return {"Authorization": f"Bearer {self.visitor.make_key('p1')}"}

    def publish(self, site: Site) -> None:
        """Tell the doors of a site and put its routes in place, as a deploy does."""
        urls = {node.host: echo.url for node, echo in zip(site.nodes, self.studios, strict=True)}
        digest = tell(site, self.folder / "site.json", urls)
        wait_until(lambda: {one.health() for one in self.doors} <= {digest}, 10, "the doors do not know")
        file = Path(self.where.directory, "dynamic/routes.yml")
        new = file.with_suffix(".yml.vv-new")
        new.write_text(routes.routes(site, urls, self.where.door))
        new.replace(file)

    def restart_door(self, number: int) -> None:
        """Run a door in place of one that ended, until Traefik knows it."""
        address, log = self.where.doors[number], self.folder / f"{'ab'[number]}.log"
        self.doors[number] = self.stack.enter_context(door(address, self.folder, log))
        wait_until(lambda: self.state(number) == "UP", 10, f"{address} is not in rotation")

    def state(self, number: int) -> str:
        """What Traefik takes a door for: UP or DOWN."""
        services = self.traefik.ask("/api/http/services?per_page=1000")
        (service,) = [one for one in services if one["name"] == f"door-{'ab'[number]}@file"]
        return service["serverStatus"][f"http://{self.where.doors[number]}"]


@contextmanager
def serving(folder: Path) -> Iterator[Box]:
    site = example_site()
    where = gateway_on_loopback(site, folder)
    with ExitStack() as stack:
        ends = [stack.enter_context(ExitStack()) for _ in range(2)]
        studios = [
            end.enter_context(echo_studio(name)) for end, name in zip(ends, ("one", "two"), strict=True)
        ]
        tell(site, folder / "site.json", {})
        running = stack.enter_context(doors(where.doors, folder))
        proxy = stack.enter_context(traefik(folder / "traefik.yml", where.internal, folder / "log"))
        box = Box(site, where, folder, proxy, studios, ends, stack, list(running))
        box.publish(site)
        wait_until(lambda: "vv-p10@file" in proxy.routers(), 10, "the routes were not loaded")
        studios[0].answers |= {
            "/vibevoice/p1/page": (200, "text/html", PAGE),
            "/vibevoice/p1/audio.wav": (200, "audio/wav", AUDIO),
            "/vibevoice/p1/events": (200, "text/event-stream", EVENTS),
        }
        yield box


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    with serving(tmp_path_factory.mktemp("gateway")) as box:
        yield box


@pytest.fixture
def stormy(tmp_path: Path) -> Iterator[Box]:
    """One of whose parts some may end."""
    with serving(tmp_path) as box:
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


# --- when something ends ---


class Load:
    """Authorised requests of all three kinds, one after the other in each of some threads, until the end."""

    def __init__(self, box: Box) -> None:
        self.answers: list[str] = []
        self._box, self._end = box, threading.Event()
        kinds = [box.session, box.key, ANA, box.session]
        for headers in kinds:
            assert box.get("/vibevoice/p1/", headers=headers).status == 200
        self._threads = [threading.Thread(target=self._ask, args=(headers,)) for headers in kinds]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, headers: dict[str, str]) -> None:
        while not self._end.is_set():
            try:
                answer = self._box.get("/vibevoice/p1/x", headers=headers)
                good = answer.status == 200 and answer.json()["project"] == "one"
                self.answers.append("good" if good else f"{answer.status} {answer.data[:100]!r}")
            except urllib3.exceptions.HTTPError as error:
                self.answers.append(repr(error))
            # Four of them stay below what the project may have in a second.
            time.sleep(0.05)

    def wait_for(self, more: int) -> None:
        """Return when so many more requests were answered."""
        count = len(self.answers) + more
        wait_until(lambda: len(self.answers) >= count, 30, "no answers")


@pytest.mark.parametrize("number", [0, 1])
def test_a_door_that_is_killed_fails_no_request(stormy: Box, number: int) -> None:
    with Load(stormy) as load:
        load.wait_for(50)
        stormy.doors[number].stop(signal.SIGKILL)
        load.wait_for(200)
    assert Counter(load.answers).keys() == {"good"}, Counter(load.answers)


def test_an_upgrade_of_the_doors_fails_no_request(stormy: Box) -> None:
    """One after the other, as the role replaces them."""
    with Load(stormy) as load:
        for number in (1, 0):
            load.wait_for(50)
            stormy.doors[number].stop(signal.SIGTERM)
            assert stormy.doors[number].process.returncode == 0
            load.wait_for(50)
            stormy.restart_door(number)
        load.wait_for(100)
    assert Counter(load.answers).keys() == {"good"}, Counter(load.answers)


def test_restarted_doors_know_who_was_logged_in(stormy: Box) -> None:
    before = (stormy.session, stormy.key)
    for number in range(2):
        stormy.doors[number].stop(signal.SIGKILL)
    for number in range(2):
        stormy.restart_door(number)
    for headers in before:
        assert stormy.get("/vibevoice/p1/", headers=headers).status == 200


def test_without_doors_nothing_is_open(stormy: Box) -> None:
    kinds: list[dict[str, str]] = [stormy.session, stormy.key, ANA, stormy.session | HTML, HTML, {}]
    for one in stormy.doors:
        one.process.kill()
    for one in stormy.doors:
        one.process.wait()

    def statuses() -> set[int]:
        paths = (
            "/vibevoice/p1/",
            "/vibevoice/p10/x",
            "/vibevoice/",
            "/vibevoice/login",
            "/vibevoice/door/keys",
        )
        return {stormy.get(path, headers=headers).status for path in paths for headers in kinds}

    asked = len(stormy.studios[0].got) + len(stormy.studios[1].got)
    # Until both are known to be gone, a request finds that out itself.
    assert statuses() <= {502, 503}
    wait_until(lambda: statuses() == {503}, 10, "something else than 503")
    assert len(stormy.studios[0].got) + len(stormy.studios[1].got) == asked
    assert stormy.get("/vibevoice/health").status == 200


def test_a_browser_waits_on_a_page_and_a_program_is_told_while_a_studio_is_away(stormy: Box) -> None:
    stormy.ends[0].close()
    for headers in (stormy.session | HTML, ANA | HTML):
        page = stormy.get("/vibevoice/p1/", headers=headers)
        assert page.status in (502, 503)
        assert b'http-equiv="refresh"' in page.data
        assert page.headers["Content-Type"].startswith("text/html")

    def told() -> bool:
        answer = stormy.get("/vibevoice/p1/v1/models", headers=stormy.key)
        assert answer.status in (502, 503)
        return answer.status == 503 and answer.headers["Content-Type"] == "application/json"

    # The first requests find out, until the next question whether the node lives.
    wait_until(told, 20, "no word to programs")
    answer = stormy.get("/vibevoice/p1/v1/audio/speech", "POST", headers=stormy.key, body=b"{}")
    assert answer.status == 503
    assert answer.json()["error"]["code"] == "studio_unavailable"
    assert int(answer.headers["Retry-After"]) > 0
    assert b'http-equiv="refresh"' in stormy.get("/vibevoice/p1/", headers=stormy.session | HTML).data
    # Whoever may not come in learns nothing of it, and another project is not touched.
    assert stormy.get("/vibevoice/p1/v1/models").status == 401
    assert stormy.get("/vibevoice/p1/", headers=HTML).status == 303
    assert stormy.get("/vibevoice/p10/", headers=stormy.session).status == 200

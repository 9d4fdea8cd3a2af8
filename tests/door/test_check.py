"""The check: who passes, with what, and what everybody else is told."""

import asyncio
import base64
import http.server
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from asking import HOUR_S, HTML, Answer, Post
from door.people import Person
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey
from visiting import ANA, LIMITS, _cheap, project, site

IDA = Person("corp:ida@example.com", frozenset({"corp:podcast-team"}), "corp")


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    with Post(tmp_path) as post:
        yield post


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


# --- who passes ---


def test_a_session_passes_with_its_name_its_limits_and_other_cookies(post: Post) -> None:
    answer = post.ask(cookie=f"theme=dark; {post.cookie()}; lang=en")
    assert answer.status == 200
    assert answer.body == b""
    limits = answer.headers.pop("x-auth-limits")
    assert answer.headers == {
        "x-auth-user": "ana",
        "x-auth-project": "podcast",
        "cookie": "theme=dark; lang=en",
        "content-length": "0",
    }
    payload = json.loads(base64.urlsafe_b64decode(limits.split(".")[1] + "=="))
    assert payload["user"] == "ana" and payload["project"] == "podcast"


def test_without_other_cookies_none_are_passed_on(post: Post) -> None:
    assert "cookie" not in post.ask(cookie=post.cookie()).headers


def test_cookies_in_several_headers_are_one(post: Post) -> None:
    answer = post.ask(more=(("cookie", "a=b"), ("cookie", post.cookie()), ("cookie", "c=d")))
    assert answer.status == 200 and answer.headers["cookie"] == "a=b; c=d"


def test_a_key_passes_and_so_do_its_cookies_but_not_its_authorization(post: Post) -> None:
    answer = post.ask(authorization=f"Bearer {post.key()}", cookie="a=b")
    assert answer.status == 200
    assert "authorization" not in answer.headers and answer.headers["cookie"] == "a=b"


def test_schemes_are_known_in_any_case(post: Post) -> None:
    assert post.ask(authorization=f"bEARER  {post.key()}").status == 200
    assert post.ask(authorization=basic("ana", ANA).replace("Basic", "BASIC")).status == 200


def test_name_and_password_pass(post: Post) -> None:
    assert post.ask(authorization=basic("ana", ANA)).headers["x-auth-user"] == "ana"


def test_a_name_beyond_ascii_is_percent_encoded(post: Post) -> None:
    for name, header in {
        "corp:李": "corp:%E6%9D%8E",
        "corp:a b": "corp:a%20b",
        "corp:a%20b": "corp:a%2520b",
    }.items():
        post.desk.remember(Person(name, IDA.groups, "corp"))
        assert post.ask(cookie=post.cookie(name)).headers["x-auth-user"] == header


def test_the_deploys_probe_passes_to_the_health_alone(post: Post) -> None:
    bearer = f"Bearer {post.desk.signing.probe('podcast')}"
    health = "/vibevoice/podcast/health/ready"
    answer = post.ask(authorization=bearer, uri=health)
    assert answer.status == 200 and answer.headers["x-auth-user"] == "deploy"
    for uri in (
        *(
            "/vibevoice/podcast/",
            health + "/..",
            health + "?x",
            "/vibevoice/podcast/health/",
            health + "%2f..",
        ),
        *(
            "/vibevoice/podcast/health/../api",
            "/vibevoice/debate/health/ready",
            "//vibevoice/podcast/health/ready",
        ),
        *(
            "/vibevoice/podcast/health/ready;/../x",
            "https://studio.lab.test/vibevoice/podcast/health/ready",
            "",
        ),
    ):
        assert post.ask(authorization=bearer, uri=uri).status == 401, uri
    assert post.ask(authorization=bearer, uri=health, method="POST").status == 401
    debate = "/vibevoice/debate/health/ready"
    assert post.ask("debate", authorization=bearer, uri=debate).status == 403
    post.clock.turn(121)
    assert post.ask(authorization=bearer, uri=health).status == 401


class Issuer(http.server.HTTPServer):
    """Somebody else, whose keys are served where the configuration says; `asked` is called for them."""

    def __init__(self) -> None:
        self.key = ECKey.generate_key("P-256", {"kid": "1", "alg": "ES256", "use": "sig"})
        self.asked: Callable[[], object] = lambda: None
        super().__init__(("127.0.0.1", 0), _Keys)
        url = f"http://127.0.0.1:{self.server_port}"
        self.settings = {"name": "ci", "issuer": url, "audience": "vibevoice", "jwks": f"{url}/jwks"}

    def token(self, **claims: Any) -> str:
        """An Authorization for five minutes."""
        exp = int(time.time()) + 300
        said = {"iss": self.settings["issuer"], "aud": "vibevoice", "sub": "build", "exp": exp, **claims}
        return "Bearer " + jwt.encode({"alg": "ES256", "kid": "1"}, said, self.key)


class _Keys(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Issuer)
        self.server.asked()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps({"keys": [self.server.key.as_dict(private=False)]}).encode())

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def issuer(post: Post) -> Iterator[Issuer]:
    """An issuer whose makers may enter podcast; debate is closed to them."""
    post.clock.now = time.time()
    with Issuer() as issuer:
        serving = threading.Thread(target=issuer.serve_forever)
        serving.start()
        projects = [project("podcast", ["ana"], ["ci:makers"]), project("debate", ["ana"], [])]
        post.configure(issuers=[issuer.settings], projects=projects)
        yield issuer
        issuer.shutdown()
        serving.join()


def test_a_trusted_issuers_token_passes_for_its_groups(post: Post, issuer: Issuer) -> None:
    maker = issuer.token(groups=["makers"])
    answer = post.ask(authorization=maker)
    assert answer.status == 200 and answer.headers["x-auth-user"] == "ci:build"
    assert post.ask("debate", authorization=maker).status == 403
    assert post.ask(authorization=issuer.token(groups=["others"])).status == 403
    assert post.ask(authorization=issuer.token(groups=["makers"], aud="other")).status == 401
    assert post.ask(authorization=maker[:-4] + "AAAA").status == 401


def test_a_token_is_remembered_while_its_issuer_stays(post: Post, issuer: Issuer) -> None:
    maker = issuer.token(groups=["makers"])
    assert post.ask(authorization=maker).status == 200
    asked = []
    issuer.asked = lambda: asked.append(1)
    post.clock.turn(59)
    assert post.ask(authorization=maker).status == 200
    assert not asked
    post.configure(projects=[project("podcast", ["ana"], [])], issuers=[])
    assert post.ask(authorization=maker).status == 401


def test_a_token_verified_while_its_issuer_left_is_refused(post: Post, issuer: Issuer) -> None:
    issuer.asked = lambda: post.configure(issuers=[{**issuer.settings, "audience": "another"}])
    assert post.ask(authorization=issuer.token(groups=["makers"])).status == 401
    assert post.audited("refused")[-1]["reason"] == "changed_meanwhile"


def test_an_issuer_that_cannot_be_reached_closes_no_door(post: Post, issuer: Issuer) -> None:
    nobody = {**issuer.settings, "issuer": "http://127.0.0.1:9", "jwks": None}
    post.configure(issuers=[nobody])
    answer = post.ask(authorization=issuer.token(iss="http://127.0.0.1:9"))
    assert answer.status == 401 and answer.error["code"] == "token_unverifiable"
    assert int(answer.headers["retry-after"]) > 0


# --- who does not ---


def test_a_browser_is_sent_to_the_login_and_back(post: Post) -> None:
    answer = post.ask(accept=HTML, uri="/vibevoice/podcast/?q=a b&x=ü")
    assert answer.status == 303
    assert answer.headers["location"] == (
        "https://studio.lab.test/vibevoice/login?next=%2Fvibevoice%2Fpodcast%2F%3Fq%3Da%20b%26x%3D%FC"
    )
    assert answer.headers["cache-control"] == "no-store"


def test_an_address_too_long_to_come_back_to_is_left_out(post: Post) -> None:
    answer = post.ask(accept=HTML, uri="/vibevoice/podcast/" + "x" * 2000)
    assert answer.headers["location"] == "https://studio.lab.test/vibevoice/login"


def test_no_address_breaks_the_redirect(post: Post) -> None:
    for uri in ("/\r\nSet-Cookie: a=b", "//evil.example", "\x00", "é"):
        location = post.ask(accept=HTML, uri=uri).headers["location"]
        assert location.startswith("https://studio.lab.test/vibevoice/login?next=")
        assert location.isascii() and location.isprintable() and "//evil" not in location


@pytest.mark.parametrize(
    "asked",
    [
        {"accept": "*/*"},
        {"accept": "application/json"},
        {"accept": HTML, "method": "POST"},
        {"accept": HTML, "method": "OPTIONS"},
        {"accept": HTML, "authorization": "Bearer x"},
        {"accept": HTML, "authorization": ""},
    ],
)
def test_a_program_is_told_in_its_own_envelope(post: Post, asked: dict[str, Any]) -> None:
    answer = post.ask(**asked)
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="vibevoice"'
    assert answer.headers["content-type"] == "application/json"
    assert answer.error.keys() == {"message", "type", "param", "code"}
    assert (answer.error["type"], answer.error["code"]) == ("authentication_error", "invalid_api_key")


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        " ",
        "Bearer",
        "Bearer ",
        "Bearer vv_",
        "Basic",
        "Basic !",
        "Basic " + base64.b64encode(b"no colon").decode(),
        "Basic " + base64.b64encode(b"\xff:\xff").decode(),
        "Basic YTpi YTpi",
        "Digest username=ana",
        "Negotiate abc",
        "Bearer a.b.c",
        "Bearer vv_a.b.c",
        "Bearer vvprobe_",
        "Bearer vvprobe_a.b.c",
        "Bearer " + "x" * 50_000,
        "Bearer é",
        "vv_abcdefgh_" + "x" * 43,
    ],
)
def test_no_other_authorization_opens_even_with_a_session(post: Post, authorization: str) -> None:
    assert post.ask(authorization=authorization, cookie=post.cookie()).status == 401


def test_two_authorizations_are_none(post: Post) -> None:
    bearer = f"Bearer {post.key()}"
    assert post.ask(authorization=bearer, more=(("authorization", bearer),)).status == 401


def test_a_wrong_password_is_refused(post: Post) -> None:
    assert post.ask(authorization=basic("ana", "wrong")).status == 401
    assert post.audited("login_failed")[0]["via"] == "basic"


def test_guessing_by_basic_is_slowed_like_the_login(post: Post) -> None:
    for n in range(10):
        assert post.ask(authorization=basic("ana", f"wrong {n}")).status == 401
    answer = post.ask(authorization=basic("ana", ANA))
    assert answer.status == 429
    assert answer.headers["retry-after"] == "6"
    assert (answer.error["type"], answer.error["code"]) == ("rate_limit_error", "too_many_failures")


def test_who_is_known_but_not_in_the_project_is_told_so(post: Post) -> None:
    page = post.ask("debate", cookie=post.cookie("li"), accept=HTML)
    assert page.status == 403
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert b"<html" in page.body
    answer = post.ask("debate", cookie=post.cookie("li"))
    assert answer.status == 403 and answer.error["type"] == "permission_error"
    assert post.audited("refused")[-1]["reason"] == "not_in_project"


@pytest.mark.parametrize(
    "name", ["", "nothing", "Podcast", "podcast/", "podcast/../debate", "p", "podcast%20"]
)
def test_there_is_no_other_project(post: Post, name: str) -> None:
    assert post.ask(name, cookie=post.cookie()).status == 404


def test_refusals_are_recorded_without_secrets(post: Post) -> None:
    post.ask(authorization="Bearer vv_abcdefgh_" + "x" * 43, uri="/vibevoice/podcast/a?key=secret")
    post.ask(cookie="__Host-vv_session=forged")
    key, session = post.audited("refused")
    assert key["reason"] == "unknown_key" and key["path"] == "/vibevoice/podcast/a"
    assert key["address"] == "192.0.2.7" and key["project"] == "podcast"
    assert session["reason"] == "forged_session"
    log = b"".join(file.read_bytes() for file in (post.data / "audit").iterdir())
    assert b"xxx" not in log and b"secret" not in log


def test_nobody_without_credentials_is_recorded(post: Post) -> None:
    post.ask()
    assert post.audited("refused") == []


# --- for how long ---


def test_a_session_that_expires_stops_though_it_was_remembered(post: Post) -> None:
    post.configure(session_hours=1 / 120)
    cookie = post.cookie()
    post.clock.turn(29)
    assert post.ask(cookie=cookie).status == 200
    post.clock.turn(1)
    assert post.ask(cookie=cookie).status == 401


def test_whatever_changes_what_was_decided_before_is_void(post: Post) -> None:
    cookie, key = post.cookie("li"), post.key("li")
    secret = basic("li", "stapler of paper clips")
    asked: list[dict[str, Any]] = [
        {"cookie": cookie},
        {"authorization": f"Bearer {key}"},
        {"authorization": secret},
    ]
    assert [post.ask(**one).status for one in asked * 2] == [200] * 6
    post.configure(projects=[project("podcast", ["ana"], [])])
    assert [post.ask(**one).status for one in asked] == [403, 401, 403]


def test_a_password_remembered_is_void_when_another_is_in_force(post: Post) -> None:
    assert post.ask(authorization=basic("ana", ANA)).status == 200
    post.configure(users={**site()["users"], "ana": _cheap.hash("another good password")})
    assert post.ask(authorization=basic("ana", ANA)).status == 401
    assert post.ask(authorization=basic("ana", "another good password")).status == 200


def test_a_password_is_verified_once_while_it_is_in_use(post: Post) -> None:
    for _ in range(10):
        assert post.ask(authorization=basic("ana", ANA)).status == 200
        post.clock.turn(30)
    assert len(post.audited("login")) == 1
    post.clock.turn(61)
    assert post.ask(authorization=basic("ana", ANA)).status == 200
    assert len(post.audited("login")) == 2


def test_equal_passwords_at_once_are_verified_once(post: Post) -> None:
    headers = [("authorization", basic("ana", ANA)), ("x-forwarded-for", "192.0.2.7")]

    async def at_once() -> list[Answer]:
        return await asyncio.gather(*(post.asking("podcast", headers) for _ in range(50)))

    assert {answer.status for answer in post.run(at_once())} == {200}
    assert len(post.audited("login")) == 1


def test_no_password_stays_in_memory_as_it_came(post: Post) -> None:
    secret = basic("ana", ANA)
    post.ask(authorization=secret)
    remembered = repr(vars(post.door._check)) + repr(vars(post.door._check._credentials))
    assert (
        secret not in remembered and secret.removeprefix("Basic ") not in remembered and ANA not in remembered
    )


def test_limits_are_never_handed_out_old(post: Post) -> None:
    cookie = post.cookie()
    for _ in range(50):
        payload = post.ask(cookie=cookie).headers["x-auth-limits"].split(".")[1]
        assert json.loads(base64.urlsafe_b64decode(payload + "=="))["exp"] - post.clock() >= 59
        post.clock.turn(7)


# --- how many ---


def test_a_project_has_so_many_requests_a_second(post: Post) -> None:
    limits = {**LIMITS, "requests_per_s": 50}
    post.configure(
        projects=[{**project("podcast", ["ana"], []), "limits": limits}, project("debate", ["ana"], [])]
    )
    cookie = post.cookie()
    assert [post.ask(cookie=cookie).status for _ in range(100)] == [200] * 100
    answer = post.ask(cookie=cookie)
    assert answer.status == 429 and answer.headers["retry-after"] == "1"
    assert (answer.error["type"], answer.error["code"]) == ("rate_limit_error", "rate_limit_exceeded")
    assert post.ask("debate", cookie=cookie).status == 200
    post.clock.turn(1)
    assert [post.ask(cookie=cookie).status for _ in range(51)] == [200] * 50 + [429]


def test_a_slow_project_may_still_open_a_page_at_once(post: Post) -> None:
    post.configure(
        projects=[{**project("podcast", ["ana"], []), "limits": {**LIMITS, "requests_per_s": 0.1}}]
    )
    cookie = post.cookie()
    assert [post.ask(cookie=cookie).status for _ in range(21)] == [200] * 20 + [429]
    assert post.ask(cookie=cookie).headers["retry-after"] == "10"


def test_who_is_refused_uses_nothing_up(post: Post) -> None:
    post.configure(projects=[{**project("podcast", ["ana"], []), "limits": {**LIMITS, "requests_per_s": 1}}])
    for _ in range(50):
        assert post.ask(authorization="Bearer x").status == 401
    assert post.ask(cookie=post.cookie()).status == 200


# --- whatever happens ---


def test_only_a_get_is_a_check(post: Post) -> None:
    headers = [("cookie", post.cookie())]
    assert post.run(post.asking("podcast", headers, "GET")).status == 200
    assert post.run(post.asking("podcast", headers, "HEAD")).status == 200
    for method in ("POST", "OPTIONS", "PUT", "get", "TRACE"):
        assert post.run(post.asking("podcast", headers, method)).status == 405


def test_what_fails_inside_is_refused_and_closes_no_door(post: Post) -> None:
    cookie = post.cookie()
    with sqlite3.connect(post.data / "door.db") as broken:
        broken.execute("ALTER TABLE sessions RENAME TO gone")
    answer = post.ask(cookie=cookie)
    assert answer.status == 403
    assert (answer.error["type"], answer.error["code"]) == ("server_error", "door_error")


def test_a_door_that_cannot_see_changes_opens_for_nobody(post: Post) -> None:
    cookie = post.cookie()
    assert post.ask(cookie=cookie).status == 200
    post.desk.store.close()
    assert post.ask(cookie=cookie).status == 503


header = st.text(st.characters(max_codepoint=255), max_size=40)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    headers=st.lists(
        st.tuples(
            st.sampled_from(
                [
                    "cookie",
                    "authorization",
                    "accept",
                    "x-forwarded-for",
                    "x-forwarded-uri",
                    "x-forwarded-method",
                ]
            ),
            header
            | header.map(lambda text: "Bearer " + text)
            | header.map(lambda text: "Basic " + base64.b64encode(text.encode()).decode())
            | header.map(lambda text: "__Host-vv_session=" + text)
            | st.just(HTML),
        ),
        max_size=8,
    ),
    name=st.sampled_from(["podcast", "debate"]),
)
def test_no_garbage_opens_or_breaks_it(post: Post, headers: list[tuple[str, str]], name: str) -> None:
    assert post.run(post.asking(name, headers)).status in (303, 401, 429)


def test_time_passes_for_everybody(post: Post) -> None:
    """The clock of the tests is the one that counts: nothing above holds because time stood still."""
    cookie = post.cookie()
    post.clock.turn(168 * HOUR_S)
    assert post.ask(cookie=cookie).status == 401

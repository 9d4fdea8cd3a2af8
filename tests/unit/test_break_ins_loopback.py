"""The table of break-in tries on the real Traefik and both real doors, before studios that echo."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
import yaml

from tests.box.break_ins import judge
from tests.box.break_ins.honest import PAGE
from tests.box.break_ins.judge import Control, Try, complaints, shortcomings
from tests.box.break_ins.table import CONTROLS, ISSUERS_CONTROLS, TRIES
from tests.box.break_ins.world import World, studio
from tests.box.raw import Answer, Exchange, parse
from tests.unit.loopback_world import Loopback, loopback
from tests.unit.traefik_process import wait_until


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loopback]:
    with loopback(tmp_path_factory.mktemp("site")) as found:
        yield found


def test_the_table_is_as_long_as_it_says() -> None:
    assert len(TRIES) >= 100


@pytest.mark.parametrize("one", [*CONTROLS, *ISSUERS_CONTROLS], ids=str)
def test_an_honest_request_gets_what_it_asks_for(one: Control, site: Loopback) -> None:
    assert shortcomings(one, one.act(site.world), site.world) == []


@pytest.mark.parametrize("one", TRIES, ids=str)
def test_a_break_in_is_refused(one: Try, site: Loopback) -> None:
    exchange = one.act(site.world)
    assert complaints(one, exchange) == []
    if one.effect:
        one.effect(site.world, exchange)


def test_an_address_that_fails_ten_times_waits_whatever_it_says_of_itself(site: Loopback) -> None:
    """Its own bucket is emptied from an address that no other test has."""
    statuses = []
    for n in range(12):
        lines = f"X-Forwarded-For: 203.0.113.{n}".encode(), f"X-Real-Ip: 203.0.113.{n}".encode()
        asked = site.world.ask(studio("podcast"), *lines, b"Authorization: Basic bGk6eA==")
        (answer,) = site.world.send(asked, source="127.0.0.66").answers
        statuses.append(answer.status)
    assert statuses == [401] * 10 + [429] * 2
    assert site.world.opens(b"Cookie: " + site.world.cookie("li"))


def test_no_studio_was_ever_asked_by_anybody_else(site: Loopback) -> None:
    """What really arrived, in all of the above."""
    may = {"podcast": {"li", "deploy", "ci:robot"}, "debate": {"bo", "deploy"}}
    for project, echo in site.studios.items():
        assert echo.got, f"{project} was never asked, so nothing was proved"
        for got in echo.got:
            (user,), (passes,) = got.all("x-auth-user"), got.all("x-auth-limits")
            assert user in may[project], got
            assert got.all("x-auth-project") == [project], got
            assert judge.is_pass(passes, project, user, site.world.pass_key), got
            assert got.path.startswith(f"/vibevoice/{project}/"), got
            assert not any("__host-vv" in value.lower() for value in got.all("cookie")), got
            assert not got.all("authorization"), got


# --- whether the judge can fail ---


def answer(status: int, body: bytes, *headers: tuple[str, str]) -> Exchange:
    return Exchange((Answer(status, headers, body),))


def a_try(**changes: object) -> Try:
    values = {"group": "g", "name": "n", "who": "nobody", "act": lambda world: Exchange()}
    return Try(**{**values, "statuses": frozenset({200, 404}), **changes})  # type: ignore[arg-type]


NOT_FOUND = answer(404, b"404 page not found\n")


def test_the_judge_knows_a_refusal() -> None:
    assert complaints(a_try(), NOT_FOUND) == []
    assert complaints(a_try(silence=True, statuses=frozenset()), Exchange(end="reset")) == []


@pytest.mark.parametrize(
    ("exchange", "word"),
    [
        (answer(200, json.dumps({"project": "debate", "state": "ready"}).encode()), "debate answered"),
        (answer(404, b'{"error": {"code": "not_found", "type": "invalid_request_error"}}'), "somebody"),
        (answer(404, b"", ("set-cookie", "vv_debate_node=1; Path=/vibevoice/debate")), "debate answered"),
        (answer(200, b"<!doctype html><title>Studio</title>"), "somebody"),
        (answer(404, b"404 page not found\n", ("x-auth-user", "li")), "somebody"),
        (answer(500, b""), "500 instead of"),
        (Exchange(), "no answer"),
        (Exchange(end="quiet"), "stayed open"),
        (Exchange((*NOT_FOUND.answers, *answer(200, b'{"project": "debate"}').answers)), "debate answered"),
        (Exchange(NOT_FOUND.answers, b"more"), "no answer: b'more'"),
        (Exchange((Answer(404, (), b"half of it", whole=False),)), "somebody"),
    ],
)
def test_the_judge_condemns_whatever_else_comes(exchange: Exchange, word: str) -> None:
    assert word in " ".join(complaints(a_try(), exchange))


def test_all_answers_of_a_connection_are_seen() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    sized = b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"
    answers, rest = parse(b"HTTP/1.1 100 Continue\r\n\r\n" + chunked + sized + b"junk", closed=True)
    assert [(one.status, one.body) for one in answers] == [(100, b""), (200, b"abc"), (404, b"no")]
    assert rest == b"junk"


def belief(world: World, edit: Callable[[list[list[str]]], object]) -> list[str]:
    """What the judge says of an honest answer whose echoed headers were changed."""
    control = next(one for one in CONTROLS if one.project == "podcast" and one.user == "li")
    (honest,) = control.act(world).answers
    content = honest.json()
    edit(content["headers"])
    changed = Answer(honest.status, honest.headers, json.dumps(content).encode())
    return shortcomings(control, Exchange((changed,)), world)


def test_the_judge_condemns_what_a_studio_should_not_believe(site: Loopback) -> None:
    assert belief(site.world, lambda headers: None) == []
    for pair in (
        ["X-Auth-User", "li"],
        ["X_Auth_User", "li"],
        ["x.auth.limits", "v1.x.y"],
        ["Authorization", "Bearer x"],
        ["Cookie", "a=b; __HOST-VV_session=x"],
    ):
        assert belief(site.world, lambda headers, pair=pair: headers.append(pair)), pair
    for name in ("x-auth-user", "x-auth-project", "x-auth-limits"):

        def drop(headers: list[list[str]], name: str = name) -> None:
            headers[:] = [pair for pair in headers if pair[0].lower() != name]

        assert belief(site.world, drop), name


@pytest.mark.parametrize(
    ("groups", "suffix"),
    [({"paths", "targets", "tokens"}, ""), ({"pages"}, "_page")],
    ids=["programs", "pages"],
)
def test_without_the_door_the_table_fails(site: Loopback, groups: set[str], suffix: str) -> None:
    """The same tries on the same site, one of whose routes asks nobody: what leads to a studio opens it."""
    opened = yaml.safe_load(site.routes)
    for project in site.studios:
        opened["http"]["routers"][f"vv-{project}{suffix}"]["middlewares"].remove(f"vv-{project}_door")
    lines = [PAGE] if groups == {"pages"} else []
    site.publish(yaml.safe_dump(opened))
    wait_until(lambda: site.world.opens(*lines), 10, "the door is still asked")
    aimed = [one for one in TRIES if one.group in groups and {303, 401, 403} & one.statuses]
    # What is meant for the door's own pages finds no studio there.
    aimed = [one for one in aimed if "own page" not in one.name and "portal" not in one.name]
    passed = [str(one) for one in aimed if not complaints(one, one.act(site.world))]
    site.publish(site.routes)
    wait_until(lambda: not site.world.opens(*lines), 10, "the door is not asked again")
    assert len(aimed) >= 30
    assert passed == []

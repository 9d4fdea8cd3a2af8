"""Forms sent in somebody's name by another page: to log out, to make keys, to log in as somebody else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.box.break_ins.honest import (
    KEYS,
    LOGIN,
    LOGOUT,
    PAGE,
    REVOKE,
    SESSION,
    Honest,
    form_body,
)
from tests.box.break_ins.judge import Control, Try
from tests.box.break_ins.world import World, studio
from tests.box.raw import Exchange

GROUP = "forms"
KIND = b"Content-Type: application/x-www-form-urlencoded"
# Names the keys that must not be made.
MARK = "forged-key"
SECRET = re.compile(rb"vv_[A-Za-z0-9]{8}_[A-Za-z0-9_-]{43}")
Fields = dict[str, str]


@dataclass(frozen=True)
class Deed:
    """What a form does: its address, its fields, and how one sees that it was not done to li."""

    name: str
    path: str
    fields: Callable[[World], Fields]
    effect: Callable[[World, Exchange], None]


def _li_stays(world: World, exchange: Exchange) -> None:
    assert world.opens(b"Cookie: " + world.cookie("li")), "li was logged out"
    for answer in exchange.answers:
        assert not any(cookie.startswith(SESSION) for cookie in answer.all("set-cookie")), str(answer)


def no_key(world: World, exchange: Exchange) -> None:
    assert not any(SECRET.search(answer.body) for answer in exchange.answers), "a key was shown"
    page = world.visitor("li").get(KEYS)
    assert page.status == 200 and MARK.encode() not in page.body, "a key was made"


def _key_works(world: World, exchange: Exchange) -> None:
    assert world.opens(b"Authorization: Bearer " + world.key("li").encode()), "li's key was revoked"


DEEDS = (
    Deed("logout", LOGOUT, lambda world: {}, _li_stays),
    Deed("a key made", KEYS, lambda world: {"name": MARK, "project": "podcast", "days": "1"}, no_key),
    Deed("a key revoked", REVOKE, lambda world: {"key": world.key("li").split("_")[1]}, _key_works),
)


def tries() -> Iterator[Try]:
    for deed in DEEDS:
        yield from _forged(deed)
        yield from _other_tokens(deed)
        yield from _other_shapes(deed)


def post(
    world: World, path: str, fields: Fields, *lines: bytes, cookie: bytes | None = None, kind: bytes = KIND
) -> Exchange:
    cookies = [b"Cookie: " + (world.cookie("li") if cookie is None else cookie)]
    return world.send(world.ask(path, PAGE, kind, *cookies, *lines, method=b"POST", body=form_body(fields)))


def origin(world: World) -> bytes:
    return b"Origin: https://" + world.domain


def _forged(deed: Deed) -> Iterator[Try]:
    """With everything right, the token too, but where it comes from."""
    for name, lines in (
        ("another origin", [b"Origin: https://evil.example"]),
        ("the origin null", [b"Origin: null"]),
        ("an empty origin", [b"Origin:"]),
        ("the site's name at another's beginning", [b"Origin: https://%s.evil.example"]),
        ("a name below the site's", [b"Origin: https://evil.%s"]),
        ("the site over http", [b"Origin: http://%s"]),
        ("the site at another port", [b"Origin: https://%s:8443"]),
        ("two origins", [b"Origin: https://%s", b"Origin: https://evil.example"]),
        ("two origins in one", [b"Origin: https://%s https://evil.example"]),
        (
            "another origin, from the same site",
            [b"Origin: https://evil.example", b"Sec-Fetch-Site: same-origin"],
        ),
        ("no origin", []),
        ("no origin but a referrer", [b"Referer: https://%s/vibevoice/door/keys"]),
        ("no origin, from another site", [b"Sec-Fetch-Site: cross-site"]),
        ("no origin, from a neighbour", [b"Sec-Fetch-Site: same-site"]),
        ("no origin, from nowhere", [b"Sec-Fetch-Site: none"]),
        ("no origin, from two places", [b"Sec-Fetch-Site: same-origin", b"Sec-Fetch-Site: cross-site"]),
        ("a studio's script", [b"Origin: https://%s", b"Sec-Fetch-Dest: empty"]),
        ("a studio's frame", [b"Origin: https://%s", b"Sec-Fetch-Dest: iframe"]),
    ):

        def act(world: World, lines=lines) -> Exchange:
            made = [line.replace(b"%s", world.domain) for line in lines]
            fields = deed.fields(world) | {"form": world.visitor("li").form(KEYS)}
            return post(world, deed.path, fields, *made)

        yield Try(GROUP, f"{deed.name}: {name}", "li's browser", act, frozenset({403}), effect=deed.effect)


def _other_tokens(deed: Deed) -> Iterator[Try]:
    """From the right place, without the right token."""
    made: dict[str, Callable[[World], Fields]] = {
        "no token": lambda world: {},
        "an empty token": lambda world: {"form": ""},
        "a wrong token": lambda world: {"form": "x"},
        "bo's token": lambda world: {"form": world.visitor("bo").form(KEYS)},
        "a token of li's other session": lambda world: {"form": world.other_form("li")},
        "a token of the login page": lambda world: {"form": Honest(world.place).form(LOGIN)},
        "the session itself as the token": lambda world: {"form": world.session("li")},
        "a tampered token": lambda world: {"form": world.visitor("li").form(KEYS)[:-1]},
        "the token under another name": lambda world: {"csrf": world.visitor("li").form(KEYS)},
    }
    for name, token in made.items():

        def act(world: World, token=token) -> Exchange:
            return post(world, deed.path, deed.fields(world) | token(world), origin(world))

        yield Try(GROUP, f"{deed.name}: {name}", "li's browser", act, frozenset({403}), effect=deed.effect)


def _other_shapes(deed: Deed) -> Iterator[Try]:
    """With the right token, from the right place, but as no form of ours is sent."""

    def fields(world: World) -> Fields:
        return deed.fields(world) | {"form": world.visitor("li").form(KEYS)}

    def get(world: World) -> Exchange:
        return world.send(world.ask(f"{deed.path}?{form_body(fields(world)).decode()}", PAGE, who="li"))

    def query(world: World) -> Exchange:
        path = f"{deed.path}?{form_body(fields(world)).decode()}"
        return post(world, path, {}, origin(world))

    def override(world: World) -> Exchange:
        path = f"{deed.path}?_method=POST&{form_body(fields(world)).decode()}"
        return world.send(world.ask(path, PAGE, b"X-HTTP-Method-Override: POST", origin(world), who="li"))

    def kind(world: World, kind: bytes) -> Exchange:
        return post(world, deed.path, fields(world), origin(world), kind=b"Content-Type: " + kind)

    def without_session(world: World) -> Exchange:
        return post(world, deed.path, fields(world), origin(world), cookie=b"a=b")

    def after_logout(world: World) -> Exchange:
        cookie = f"{SESSION}={world.ended_session}".encode()
        return post(world, deed.path, fields(world), origin(world), cookie=cookie)

    # GET shows the page, or leads to it.
    shown = frozenset({200, 303})
    yield Try(GROUP, f"{deed.name}: by GET", "li's browser", get, shown, effect=deed.effect)
    yield Try(
        GROUP, f"{deed.name}: by GET that says POST", "li's browser", override, shown, effect=deed.effect
    )
    yield Try(
        GROUP, f"{deed.name}: in the query", "li's browser", query, frozenset({403}), effect=deed.effect
    )
    for name, value in (
        ("plain text", b"text/plain"),
        ("JSON", b"application/json"),
        ("multipart", b"multipart/form-data; boundary=x"),
        ("nothing", b""),
    ):

        def act(world: World, value: bytes = value) -> Exchange:
            return kind(world, value)

        yield Try(GROUP, f"{deed.name}: as {name}", "li's browser", act, frozenset({415}), effect=deed.effect)
    nobody = frozenset({303, 403})
    yield Try(GROUP, f"{deed.name}: without a session", "nobody", without_session, nobody, effect=deed.effect)
    yield Try(GROUP, f"{deed.name}: after the logout", "nobody", after_logout, nobody, effect=deed.effect)


def controls() -> Iterator[Control]:
    """The same forms do what they are for, sent as browsers send them."""

    def key(world: World) -> Exchange:
        fields = {
            "name": "control",
            "project": "podcast",
            "days": "1",
            "form": world.visitor("li").form(KEYS),
        }
        (answer,) = post(world, KEYS, fields, origin(world), b"Sec-Fetch-Dest: document").answers
        found = SECRET.search(answer.body)
        assert answer.status == 200 and found, str(answer)
        exchange = world.send(world.ask(studio("podcast"), b"Authorization: Bearer " + found[0]))
        world.visitor("li").revoke_key(found[0].decode())
        assert not world.opens(b"Authorization: Bearer " + found[0]), "a revoked key opens"
        return exchange

    def logout(world: World) -> Exchange:
        visitor = world.fresh("li")
        line = f"Cookie: {visitor.cookie}".encode()
        exchange = world.send(world.ask(studio("podcast"), line))
        form = visitor.form(LOGOUT)
        (answer,) = post(
            world, LOGOUT, {"form": form}, b"Sec-Fetch-Site: same-origin", cookie=visitor.cookie.encode()
        ).answers
        assert answer.status == 303, str(answer)
        assert not world.opens(line), "a session opens after the logout"
        return exchange

    yield Control(GROUP, "a key is made, opens, is revoked", "podcast", "li", key)
    yield Control(GROUP, "a session opens until the logout", "podcast", "li", logout)

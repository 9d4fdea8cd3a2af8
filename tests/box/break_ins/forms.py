"""Forms sent in somebody's name by another page: to log out, to make keys, to log in as somebody else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.box.break_ins.honest import (
    FORM,
    KEYS,
    LOGIN,
    LOGOUT,
    PAGE,
    REVOKE,
    SESSION,
    Honest,
    form_body,
    form_token,
)
from tests.box.break_ins.judge import Control, Try
from tests.box.break_ins.world import World, studio
from tests.box.raw import Exchange

GROUP = "forms"
KIND = b"Content-Type: application/x-www-form-urlencoded"
# Names the keys that must not be made.
MARK = "forged-key"
_SECRET = re.compile(rb"vv_[A-Za-z0-9]{8}_[A-Za-z0-9_-]{43}")
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


def _no_key(world: World, exchange: Exchange) -> None:
    assert not any(_SECRET.search(answer.body) for answer in exchange.answers), "a key was shown"
    page = world.visitor("li").get(KEYS)
    assert page.status == 200 and MARK.encode() not in page.body, "a key was made"


def _key_works(world: World, exchange: Exchange) -> None:
    assert world.opens(b"Authorization: Bearer " + world.key("li").encode()), "li's key was revoked"


DEEDS = (
    Deed("logout", LOGOUT, lambda world: {}, _li_stays),
    Deed("a key made", KEYS, lambda world: {"name": MARK, "project": "podcast", "days": "1"}, _no_key),
    Deed("a key revoked", REVOKE, lambda world: {"key": world.key("li").split("_")[1]}, _key_works),
)


def tries() -> Iterator[Try]:
    for deed in DEEDS:
        yield from _forged(deed)
        yield from _other_tokens(deed)
        yield from _other_shapes(deed)
    yield from _scripts()
    yield from _others_things()
    yield from _logins()


def _post(
    world: World, path: str, fields: Fields, *lines: bytes, cookie: bytes | None = None, kind: bytes = KIND
) -> Exchange:
    cookies = [b"Cookie: " + (world.cookie("li") if cookie is None else cookie)]
    return world.send(world.ask(path, PAGE, kind, *cookies, *lines, method=b"POST", body=form_body(fields)))


def _own(world: World) -> bytes:
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
            return _post(world, deed.path, fields, *made)

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
            return _post(world, deed.path, deed.fields(world) | token(world), _own(world))

        yield Try(GROUP, f"{deed.name}: {name}", "li's browser", act, frozenset({403}), effect=deed.effect)


def _other_shapes(deed: Deed) -> Iterator[Try]:
    """With the right token, from the right place, but as no form of ours is sent."""

    def fields(world: World) -> Fields:
        return deed.fields(world) | {"form": world.visitor("li").form(KEYS)}

    def get(world: World) -> Exchange:
        return world.send(world.ask(f"{deed.path}?{form_body(fields(world)).decode()}", PAGE, who="li"))

    def query(world: World) -> Exchange:
        path = f"{deed.path}?{form_body(fields(world)).decode()}"
        return _post(world, path, {}, _own(world))

    def override(world: World) -> Exchange:
        path = f"{deed.path}?_method=POST&{form_body(fields(world)).decode()}"
        return world.send(world.ask(path, PAGE, b"X-HTTP-Method-Override: POST", _own(world), who="li"))

    def kind(world: World, kind: bytes) -> Exchange:
        return _post(world, deed.path, fields(world), _own(world), kind=b"Content-Type: " + kind)

    def without_session(world: World) -> Exchange:
        return _post(world, deed.path, fields(world), _own(world), cookie=b"a=b")

    def after_logout(world: World) -> Exchange:
        cookie = f"{SESSION}={world.ended_session}".encode()
        return _post(world, deed.path, fields(world), _own(world), cookie=cookie)

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


def _scripts() -> Iterator[Try]:
    """A studio's script shares the origin: it could read a page's token, if it were given one."""
    for path in (KEYS, LOGOUT, LOGIN, "/vibevoice/"):
        for destination in ("empty", "iframe", "frame", "object", "embed", "worker", "script", "image", "x"):

            def act(world: World, path: str = path, destination: str = destination) -> Exchange:
                who = None if path == LOGIN else "li"
                lines = f"Sec-Fetch-Dest: {destination}".encode(), b"Sec-Fetch-Site: same-origin"
                return world.send(world.ask(path, PAGE, *lines, who=who))

            name = f"{path} as {destination}"
            yield Try(GROUP, name, "a studio's script", act, frozenset({403}), effect=_no_token)
    for path in ("/vibevoice/door/waiting?project=podcast", "/vibevoice/door/x"):

        def read(world: World, path: str = path) -> Exchange:
            return world.send(world.ask(path, PAGE, b"Sec-Fetch-Dest: empty", who="li"))

        # They are for everybody, and say nothing of anybody.
        yield Try(GROUP, path, "a studio's script", read, frozenset({404, 503}), effect=_no_token)


def _no_token(world: World, exchange: Exchange) -> None:
    for answer in exchange.answers:
        assert not form_token(answer), "a form's token was given"
        assert b">li<" not in answer.body, "the page says who reads it"


def _others_things() -> Iterator[Try]:
    def send(world: World, path: str, fields: Fields) -> Exchange:
        return _post(world, path, fields | {"form": world.visitor("li").form(KEYS)}, _own(world))

    def of_bo(world: World) -> Exchange:
        return send(world, REVOKE, {"key": world.key("bo").split("_")[1]})

    def bos_key_works(world: World, exchange: Exchange) -> None:
        line = b"Authorization: Bearer " + world.key("bo").encode()
        assert world.opens(line, project="debate"), "bo's key was revoked"

    yield Try(GROUP, "bo's key revoked", "li", of_bo, frozenset({303}), effect=bos_key_works)
    for name, fields in (
        ("for debate", {"project": "debate"}),
        ("for no project", {"project": ""}),
        ("for every project", {"project": "*"}),
        ("for a project that is none", {"project": "../debate"}),
        ("for ever", {"days": "99999999"}),
        ("until yesterday", {"days": "-1"}),
        ("for NaN days", {"days": "nan"}),
        ("of a name with a line break", {"name": MARK + "\r\nx\x00"}),
        ("of a name of 10,000", {"name": MARK + "x" * 10_000}),
    ):

        def act(world: World, fields=fields) -> Exchange:
            return send(world, KEYS, {"name": MARK, "project": "podcast", "days": "1"} | fields)

        yield Try(GROUP, f"a key {name}", "li", act, frozenset({400}), effect=_no_key)

    def twice(world: World) -> Exchange:
        form = world.visitor("li").form(KEYS)
        body = form_body({"name": MARK, "project": "podcast", "days": "1", "form": form}) + b"&project=debate"
        lines = PAGE, KIND, _own(world)
        return world.send(world.ask(KEYS, *lines, who="li", method=b"POST", body=body))

    def huge(world: World) -> Exchange:
        return send(world, KEYS, {"name": MARK, "project": "podcast", "days": "1", "x": "y" * 100_000})

    def many(world: World) -> Exchange:
        return send(world, KEYS, {f"x{n}": "" for n in range(1000)} | {"name": MARK})

    yield Try(GROUP, "a key for two projects", "li", twice, frozenset({400}), effect=_no_key)
    yield Try(GROUP, "a form of 100 KB", "li", huge, frozenset({413}), effect=_no_key)
    yield Try(GROUP, "a form of 1,000 fields", "li", many, frozenset({400}), effect=_no_key)


def _logins() -> Iterator[Try]:
    """Logging a victim in as bo, whose right password the attacker has."""

    def fields(world: World, form: str) -> Fields:
        return {"name": "bo", "password": world.passwords["bo"], "form": form}

    def send(world: World, form: str, cookie: str, *lines: bytes) -> Exchange:
        sent = lines or (_own(world),)
        return _post(world, LOGIN, fields(world, form), *sent, cookie=cookie.encode())

    def own(world: World) -> tuple[str, str]:
        """A form's token, and the cookie that belongs to it."""
        visitor = Honest(world.place)
        return visitor.form(LOGIN), visitor.cookies[FORM]

    def no_token(world: World) -> Exchange:
        return send(world, "", f"{FORM}={own(world)[1]}")

    def no_cookie(world: World) -> Exchange:
        return send(world, own(world)[0], "a=b")

    def attackers(world: World) -> Exchange:
        return send(world, own(world)[0], f"{FORM}={own(world)[1]}")

    def two_cookies(world: World) -> Exchange:
        form, cookie = own(world)
        return send(world, form, f"{FORM}={own(world)[1]}; {FORM}={cookie}")

    def elsewhere(world: World) -> Exchange:
        form, cookie = own(world)
        return send(world, form, f"{FORM}={cookie}", b"Origin: https://evil.example")

    def script(world: World) -> Exchange:
        form, cookie = own(world)
        return send(world, form, f"{FORM}={cookie}", _own(world), b"Sec-Fetch-Dest: empty")

    def get(world: World) -> Exchange:
        form, cookie = own(world)
        query = form_body(fields(world, form)).decode()
        return world.send(world.ask(f"{LOGIN}?{query}", PAGE, f"Cookie: {FORM}={cookie}".encode()))

    for name, act, status in (
        ("no token", no_token, 403),
        ("no cookie", no_cookie, 403),
        ("the attacker's token", attackers, 403),
        ("a second cookie", two_cookies, 403),
        ("another origin", elsewhere, 403),
        ("a studio's script", script, 403),
        ("by GET", get, 200),
    ):
        yield Try(GROUP, f"a login: {name}", "a victim", act, frozenset({status}), effect=_no_session)

    def fixed(world: World) -> Exchange:
        visitor = Honest(world.place, {SESSION: world.ended_session})
        fields = {"name": "li", "password": world.passwords["li"], "form": visitor.form(LOGIN)}
        return Exchange((visitor.post(LOGIN, fields),))

    def is_fresh(world: World, exchange: Exchange) -> None:
        given = [one for one in exchange.answers[0].all("set-cookie") if one.startswith(SESSION)]
        assert len(given) == 1 and world.ended_session not in given[0], "the old session lives again"
        assert not world.opens(f"Cookie: {SESSION}={world.ended_session}".encode())

    yield Try(GROUP, "a login: a session from before", "li", fixed, frozenset({303}), effect=is_fresh)


def _no_session(world: World, exchange: Exchange) -> None:
    for answer in exchange.answers:
        assert not any(cookie.startswith(SESSION) for cookie in answer.all("set-cookie")), "logged in"


def controls() -> Iterator[Control]:
    """The same forms do what they are for, sent as browsers send them."""

    def key(world: World) -> Exchange:
        fields = {
            "name": "control",
            "project": "podcast",
            "days": "1",
            "form": world.visitor("li").form(KEYS),
        }
        (answer,) = _post(world, KEYS, fields, _own(world), b"Sec-Fetch-Dest: document").answers
        found = _SECRET.search(answer.body)
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
        (answer,) = _post(
            world, LOGOUT, {"form": form}, b"Sec-Fetch-Site: same-origin", cookie=visitor.cookie.encode()
        ).answers
        assert answer.status == 303, str(answer)
        assert not world.opens(line), "a session opens after the logout"
        return exchange

    yield Control(GROUP, "a key is made, opens, is revoked", "podcast", "li", key)
    yield Control(GROUP, "a session opens until the logout", "podcast", "li", logout)

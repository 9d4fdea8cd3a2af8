"""Other forms: a studio's script at the door's pages, other people's keys, and logins as somebody else.

They are of the group of forms.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.box.break_ins.forms import GROUP, KIND, MARK, Fields, no_key, origin, post
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
from tests.box.break_ins.judge import Try
from tests.box.break_ins.world import World
from tests.box.raw import Exchange


def tries() -> Iterator[Try]:
    yield from _scripts()
    yield from _others_things()
    yield from _logins()


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
        return post(world, path, fields | {"form": world.visitor("li").form(KEYS)}, origin(world))

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

        yield Try(GROUP, f"a key {name}", "li", act, frozenset({400}), effect=no_key)

    def twice(world: World) -> Exchange:
        form = world.visitor("li").form(KEYS)
        body = form_body({"name": MARK, "project": "podcast", "days": "1", "form": form}) + b"&project=debate"
        lines = PAGE, KIND, origin(world)
        return world.send(world.ask(KEYS, *lines, who="li", method=b"POST", body=body))

    def huge(world: World) -> Exchange:
        return send(world, KEYS, {"name": MARK, "project": "podcast", "days": "1", "x": "y" * 100_000})

    def many(world: World) -> Exchange:
        return send(world, KEYS, {f"x{n}": "" for n in range(1000)} | {"name": MARK})

    yield Try(GROUP, "a key for two projects", "li", twice, frozenset({400}), effect=no_key)
    yield Try(GROUP, "a form of 100 KB", "li", huge, frozenset({413}), effect=no_key)
    yield Try(GROUP, "a form of 1,000 fields", "li", many, frozenset({400}), effect=no_key)


def _logins() -> Iterator[Try]:
    """Logging a victim in as bo, whose right password the attacker has."""

    def fields(world: World, form: str) -> Fields:
        return {"name": "bo", "password": world.passwords["bo"], "form": form}

    def send(world: World, form: str, cookie: str, *lines: bytes) -> Exchange:
        sent = lines or (origin(world),)
        return post(world, LOGIN, fields(world, form), *sent, cookie=cookie.encode())

    def own_form(world: World) -> tuple[str, str]:
        """A form's token, and the cookie that belongs to it."""
        visitor = Honest(world.place)
        return visitor.form(LOGIN), visitor.cookies[FORM]

    def no_token(world: World) -> Exchange:
        return send(world, "", f"{FORM}={own_form(world)[1]}")

    def no_cookie(world: World) -> Exchange:
        return send(world, own_form(world)[0], "a=b")

    def attackers(world: World) -> Exchange:
        return send(world, own_form(world)[0], f"{FORM}={own_form(world)[1]}")

    def two_cookies(world: World) -> Exchange:
        form, cookie = own_form(world)
        return send(world, form, f"{FORM}={own_form(world)[1]}; {FORM}={cookie}")

    def elsewhere(world: World) -> Exchange:
        form, cookie = own_form(world)
        return send(world, form, f"{FORM}={cookie}", b"Origin: https://evil.example")

    def script(world: World) -> Exchange:
        form, cookie = own_form(world)
        return send(world, form, f"{FORM}={cookie}", origin(world), b"Sec-Fetch-Dest: empty")

    def get(world: World) -> Exchange:
        form, cookie = own_form(world)
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

"""Cookies that were never given, or are not good any more."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable, Iterator

from tests.box.break_ins.honest import FORM, LOGIN, SESSION, Honest
from tests.box.break_ins.judge import Control, Try
from tests.box.break_ins.world import World, signed_content, studio
from tests.box.raw import Exchange

GROUP = "cookies"
DEVICE = "__Host-vv_device"
FLOW = "__Host-vv_flow"
# The value of Cookie, made of li's session.
Cook = Callable[[World, str], bytes]


def _named(name: str, cook: Callable[[World, str], str]) -> Cook:
    return lambda world, session: f"{name}={cook(world, session)}".encode()


def _flipped(part: int) -> Callable[[World, str], str]:
    """With one letter changed in a part: 0 the content, 1 the time, 2 the signature."""

    def cook(world: World, session: str) -> str:
        parts = session.split(".")
        middle = len(parts[part]) // 2
        letter = "A" if parts[part][middle] != "A" else "B"
        parts[part] = parts[part][:middle] + letter + parts[part][middle + 1 :]
        return ".".join(parts)

    return cook


def _content(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def _resigned(world: World, session: str) -> str:
    """Another's content under li's signature."""
    return ".".join([_content(signed_content(world.session("bo"))), *session.split(".")[1:]])


def _random(world: World, session: str) -> str:
    return ".".join([_content(secrets.token_urlsafe(32)), *session.split(".")[1:]])


# As nobody, at podcast: none of these is li's session, though all but the first were made of it.
FORGED: dict[str, Cook] = {
    "empty": _named(SESSION, lambda world, session: ""),
    "one word": _named(SESSION, lambda world, session: "admin"),
    "a name": _named(SESSION, lambda world, session: "li"),
    "the content alone": _named(SESSION, lambda world, session: session.split(".")[0]),
    "the session's id, as it is": _named(SESSION, lambda world, session: signed_content(session)),
    "content and time without signature": _named(SESSION, lambda w, session: session.rpartition(".")[0]),
    "an empty signature": _named(SESSION, lambda w, session: session.rpartition(".")[0] + "."),
    "a tampered signature": _named(SESSION, _flipped(2)),
    "a tampered content": _named(SESSION, _flipped(0)),
    "a tampered time": _named(SESSION, _flipped(1)),
    "another's content": _named(SESSION, _resigned),
    "a content of one's own": _named(SESSION, _random),
    "truncated": _named(SESSION, lambda world, session: session[:-1]),
    "half": _named(SESSION, lambda world, session: session[: len(session) // 2]),
    "longer": _named(SESSION, lambda world, session: session + "A"),
    "in capitals": _named(SESSION, lambda world, session: session.upper()),
    "percent-encoded": _named(SESSION, lambda world, session: session.replace(".", "%2E")),
    "as a list": _named(SESSION, lambda world, session: f"{session},{session}"),
    "huge": _named(SESSION, lambda world, session: session + "A" * 30000),
    "not ASCII": _named(SESSION, lambda world, session: "\u00e4\u4f60.\u202e" + session),
    "a zero byte's encoding": _named(SESSION, lambda world, session: session + "%00"),
    "replayed after the logout": _named(SESSION, lambda world, session: world.ended_session),
    "expired": _named(SESSION, lambda world, session: world.expired_session),
    "the device's cookie": _named(SESSION, lambda world, s: world.visitor("li").cookies[DEVICE]),
    "the form's cookie": _named(SESSION, lambda world, session: world.form_cookie),
    "a form's token": _named(SESSION, lambda world, session: Honest(world.place).form(LOGIN)),
    "an API key": _named(SESSION, lambda world, session: world.key("li")),
    "a probe's token": _named(SESSION, lambda world, session: world.probe("podcast")),
    "the prefix left out": _named("vv_session", lambda world, session: session),
    "the other prefix": _named("__Secure-vv_session", lambda world, session: session),
    "a name in capitals": _named(SESSION.upper(), lambda world, session: session),
    "a name in lower case": _named(SESSION.lower(), lambda world, session: session),
    "a blank in the name": _named("__Host-vv_ session", lambda world, session: session),
    "a name that goes on": _named(SESSION + "2", lambda world, session: session),
    "a name that begins earlier": _named("x" + SESSION, lambda world, session: session),
    "as the device": _named(DEVICE, lambda world, session: session),
    "as the form": _named(FORM, lambda world, session: session),
    "as the sign-on": _named(FLOW, lambda world, session: session),
    "as the node's cookie": _named("vv_podcast_node", lambda world, session: session),
    "in another's value": lambda world, session: f"x={SESSION}={session}".encode(),
    "in quotes with another inside": lambda world, session: f'x="; {SESSION}={session}A; "'.encode(),
    "twice": lambda world, session: f"{SESSION}={session}; {SESSION}={session}".encode(),
    "twice, the second forged": lambda world, session: f"{SESSION}={session}; {SESSION}=x".encode(),
    "twice, the second in capitals": lambda w, session: f"{SESSION}={session}; {SESSION.upper()}=x".encode(),
    "bo's": lambda world, session: world.cookie("bo"),
    "bo's before li's": lambda world, session: world.cookie("bo") + b"; " + world.cookie("li"),
    "li's before bo's": lambda world, session: world.cookie("li") + b"; " + world.cookie("bo"),
}
# Bo is known at podcast, and may not enter.
_KNOWN = {"bo's": 403}


def tries() -> Iterator[Try]:
    for name, cook in FORGED.items():
        status = _KNOWN.get(name, 401)
        yield Try(GROUP, name, "nobody", _sender(cook, "podcast"), frozenset({status}), effect=_li_stays)
    yield Try(
        GROUP, "li's, towards debate", "li", _sender(_own, "debate"), frozenset({403}), effect=_li_stays
    )
    yield from _lines()
    yield from _pages()


def _own(world: World, session: str) -> bytes:
    return world.cookie("li")


def _sender(cook: Cook, project: str) -> Callable[[World], Exchange]:
    def act(world: World) -> Exchange:
        line = b"Cookie: " + cook(world, world.session("li"))
        return world.send(world.ask(studio(project), line))

    return act


def _li_stays(world: World, exchange: Exchange) -> None:
    assert world.opens(b"Cookie: " + world.cookie("li")), "li is not logged in any more"


def _lines() -> Iterator[Try]:
    """The session in another place of the request."""
    for name, line in (
        ("two lines, li's first", b"Cookie: %s\r\nCookie: %b"),
        ("two lines, bo's first", b"Cookie: %b\r\nCookie: %s"),
        ("as Cookie2", b"Cookie2: %s"),
        ("as Set-Cookie", b"Set-Cookie: %s"),
        ("as X-Cookie", b"X-Cookie: %s"),
        ("a trailer", b"Trailer: Cookie"),
    ):

        def act(world: World, line: bytes = line) -> Exchange:
            made = line.replace(b"%s", world.cookie("li")).replace(b"%b", world.cookie("bo"))
            return world.send(world.ask(studio("podcast"), made))

        yield Try(GROUP, name, "nobody", act, frozenset({401}))

    def query(world: World) -> Exchange:
        return world.send(world.ask(f"{studio('podcast')}?{SESSION}={world.session('li')}"))

    def trailer(world: World) -> Exchange:
        sent = world.ask(studio("podcast"), b"Transfer-Encoding: chunked", b"Trailer: Cookie", method=b"POST")
        return world.send(sent + b"1\r\nx\r\n0\r\nCookie: " + world.cookie("li") + b"\r\n\r\n")

    yield Try(GROUP, "in the query", "nobody", query, frozenset({401}))
    yield Try(GROUP, "as a trailer after the body", "nobody", trailer, frozenset({401}))


def _pages() -> Iterator[Try]:
    """The pages of somebody, with what is not their session: to the login, and nobody's name is shown."""
    for name in (*("a tampered signature", "replayed after the logout", "expired"), "twice", "an API key"):
        for path in ("/vibevoice/", "/vibevoice/door/keys"):

            def act(world: World, name: str = name, path: str = path) -> Exchange:
                line = b"Cookie: " + FORGED[name](world, world.session("li"))
                return world.send(world.ask(path, b"Accept: text/html", line))

            yield Try(GROUP, f"{name}, at {path}", "nobody", act, frozenset({303}), effect=_to_login)


def _to_login(world: World, exchange: Exchange) -> None:
    (answer,) = exchange.answers
    where = answer.header("location").removeprefix(f"https://{world.place.domain}")
    assert where.startswith(LOGIN), f"sent to {where}"


def controls() -> Iterator[Control]:
    def among_others(world: World) -> Exchange:
        line = b"Cookie: a=b; " + world.cookie("li") + b"; vv_podcast_node=x; " + DEVICE.encode() + b"=x"
        return world.send(world.ask(studio("podcast"), line))

    def of_bo(world: World) -> Exchange:
        return world.send(world.ask(studio("debate"), b"Cookie: " + world.cookie("bo")))

    yield Control(GROUP, "li's session at podcast", "podcast", "li", _sender(_own, "podcast"))
    yield Control(GROUP, "li's session among other cookies", "podcast", "li", among_others)
    yield Control(GROUP, "bo's session at debate", "debate", "bo", of_bo)

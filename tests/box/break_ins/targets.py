"""Request lines and Host headers as no browser sends them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.box.break_ins.judge import Control, Try
from tests.box.break_ins.world import World, studio
from tests.box.raw import Exchange

GROUP = "targets"
GOAL = studio("debate").encode()
OWN = studio("podcast").encode()
Make = Callable[[World], bytes]


def tries() -> Iterator[Try]:
    for found in (_absolute(), _methods(), _hosts(), _lines()):
        yield from found


def _two(
    name: str, make: Callable[[World, bytes, str | None], bytes], nobody: set[int], li: set[int], **more
):
    """The same by nobody towards podcast, and by li towards debate."""
    yield Try(
        GROUP, name, "nobody", lambda world: world.send(make(world, OWN, None)), frozenset(nobody), **more
    )
    yield Try(GROUP, name, "li", lambda world: world.send(make(world, GOAL, "li")), frozenset(li), **more)


def _absolute() -> Iterator[Try]:
    """The whole address in the request line: it is this that counts, not the header Host."""
    for name, prefix, host, nobody, li in (
        ("the right host", b"https://%s", b"", {401}, {403}),
        ("the right host over http", b"http://%s", b"", {401}, {403}),
        ("the right host, another Host", b"https://%s", b"evil.example", {401}, {403}),
        ("another host, the right Host", b"https://evil.example", b"", {404}, {404}),
        ("the host in capitals", b"HTTPS://%s", b"", {401}, {403}),
        ("a user before the host", b"https://li@%s", b"", {401}, {403}),
        ("the host as a user", b"https://%s@evil.example", b"", {404}, {404}),
        ("another scheme", b"file://%s", b"", {401}, {403}),
        ("no scheme", b"//%s", b"", {404}, {404}),
        ("an address of the inside", b"http://127.0.0.1:8083", b"", {404}, {404}),
    ):

        def make(world: World, path: bytes, who: str | None, prefix=prefix, host=host) -> bytes:
            start = prefix.replace(b"%s", world.domain)
            return world.ask(start + path, who=who, host=host)

        yield from _two(f"absolute: {name}", make, nobody, li)

    def dots(world: World, path: bytes, who: str | None) -> bytes:
        return world.ask(b"https://" + world.domain + b"/vibevoice/login/../.." + path, who=who)

    yield from _two("absolute: with dots", dots, {401}, {403})


def _methods() -> Iterator[Try]:
    for method, nobody, li in (
        (b"HEAD", {401}, {403}),
        (b"POST", {401}, {403}),
        (b"PUT", {401}, {403}),
        (b"DELETE", {401}, {403}),
        (b"PATCH", {401}, {403}),
        (b"OPTIONS", {401}, {403}),
        (b"TRACE", {401}, {403}),
        (b"PROPFIND", {401}, {403}),
        (b"MALLORY", {401}, {403}),
        (b"get", {401}, {403}),
        (b"GET\t", {400}, {400}),
        (b"G\x00T", {400}, {400}),
        (b"", {400}, {400}),
        (b"CONNECT", {501}, {501}),
    ):

        def make(world: World, path: bytes, who: str | None, method=method) -> bytes:
            body = b"" if method in (b"POST", b"PUT", b"PATCH") else None
            return world.ask(path, who=who, method=method, body=body)

        yield from _two(f"method {method.decode()!r}", make, nobody, li)

    def connect(world: World, path: bytes, who: str | None) -> bytes:
        asked = world.ask(world.domain + b":443", who=who, method=b"CONNECT", keep=True)
        return asked + world.ask(path, who=who)

    def inside(world: World, path: bytes, who: str | None) -> bytes:
        asked = world.ask(b"127.0.0.1:8083", who=who, method=b"CONNECT", host=b"127.0.0.1:8083", keep=True)
        return asked + world.ask(b"/check/podcast", who=who)

    yield from _two("CONNECT to the domain, then a request", connect, {501}, {501})
    yield from _two("CONNECT to the inside, then a request", inside, {501}, {501})

    def everything(world: World, path: bytes, who: str | None) -> bytes:
        return world.ask(b"*", who=who, method=b"OPTIONS")

    yield from _two("OPTIONS *", everything, {200}, {200})

    def override(world: World, path: bytes, who: str | None) -> bytes:
        lines = b"X-HTTP-Method-Override: GET", b"X-HTTP-Method: GET", b"X-Method-Override: GET"
        return world.ask(path + b"?_method=GET", *lines, who=who, method=b"OPTIONS")

    yield from _two("a method within another", override, {401}, {403})


def _hosts() -> Iterator[Try]:
    for name, hosts, nobody, li in (
        ("none", [], {400}, {400}),
        ("empty", [b""], {404}, {404}),
        ("another", [b"evil.example"], {404}, {404}),
        ("an address", [b"127.0.0.1"], {404}, {404}),
        ("localhost", [b"localhost"], {404}, {404}),
        ("the inner entry point", [b"127.0.0.1:8083"], {404}, {404}),
        ("two, the right one first", [b"%s", b"evil.example"], {400}, {400}),
        ("two, the right one last", [b"evil.example", b"%s"], {400}, {400}),
        ("with another port", [b"%s:8083"], {401}, {403}),
        ("with a port that is none", [b"%s:x"], {401}, {403}),
        ("with a user", [b"li@%s"], {400}, {400}),
        ("as a user", [b"%s@evil.example"], {400}, {400}),
        ("with a dot", [b"%s."], {401}, {403}),
        ("in capitals", [b"%S"], {401}, {403}),
        ("with a path", [b"%s/vibevoice/podcast"], {400}, {400}),
        ("a list", [b"evil.example, %s"], {400}, {400}),
        ("a name that ends so", [b"evil%s"], {404}, {404}),
        ("a name that begins so", [b"%s.evil.example"], {404}, {404}),
    ):

        def make(world: World, path: bytes, who: str | None, hosts=hosts) -> bytes:
            domain = world.domain
            lines = [b"Host: " + host.replace(b"%s", domain).replace(b"%S", domain.upper()) for host in hosts]
            return world.ask(path, *lines, who=who, host=None)

        yield from _two(f"Host: {name}", make, nobody, li)


def _lines() -> Iterator[Try]:
    for name, version, host, nobody, li in (
        ("HTTP/1.0 without a Host", b"HTTP/1.0", None, {404}, {404}),
        ("HTTP/1.0", b"HTTP/1.0", b"", {401}, {403}),
        ("HTTP/0.9", b"", b"", {400}, {400}),
        ("HTTP/1.2", b"HTTP/1.2", b"", {401}, {403}),
        ("HTTP/2.0 in words", b"HTTP/2.0", b"", {505}, {505}),
        ("HTTP/3", b"HTTP/3", b"", {400}, {400}),
        ("a version in lower case", b"http/1.1", b"", {400}, {400}),
        ("two versions", b"HTTP/1.1 HTTP/1.1", b"", {400}, {400}),
    ):

        def make(world: World, path: bytes, who: str | None, version=version, host=host) -> bytes:
            return world.ask(path, who=who, version=version, host=host)

        yield from _two(name, make, nobody, li)

    def preface(world: World, path: bytes, who: str | None) -> bytes:
        return b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + world.ask(path, who=who)

    yield from _two("HTTP/2 by surprise", preface, {404}, {404})

    def upgrade(world: World, path: bytes, who: str | None) -> bytes:
        settings = b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"
        lines = b"Upgrade: h2c", settings, b"Connection: Upgrade, HTTP2-Settings"
        return world.ask(path, *lines, who=who, keep=True)

    yield from _two("an upgrade to HTTP/2 without TLS", upgrade, {401}, {403})

    def websocket(world: World, path: bytes, who: str | None) -> bytes:
        key = b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", b"Sec-WebSocket-Version: 13"
        lines = b"Upgrade: websocket", b"Connection: Upgrade", *key
        return world.ask(path, *lines, who=who, keep=True) + world.ask(path)

    yield from _two("an upgrade to a WebSocket, then a request", websocket, {401}, {401, 403})


def controls() -> Iterator[Control]:
    def whole(world: World) -> Exchange:
        return world.send(world.ask(b"https://" + world.domain + OWN, who="li"))

    def oldest(world: World) -> Exchange:
        return world.send(world.ask(OWN, who="li", version=b"HTTP/1.0"))

    def capitals(world: World) -> Exchange:
        return world.send(world.ask(OWN, who="li", host=world.domain.upper() + b":443"))

    yield Control(GROUP, "one's own project, by its whole address", "podcast", "li", whole)
    yield Control(GROUP, "one's own project in HTTP/1.0", "podcast", "li", oldest)
    yield Control(GROUP, "one's own project, its host in capitals with a port", "podcast", "li", capitals)

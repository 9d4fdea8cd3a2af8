"""HTTP/2 as no browser speaks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from tests.box.break_ins.judge import Control, Try
from tests.box.break_ins.world import World, studio
from tests.box.raw import Exchange, Request, http2_given_up

GROUP = "HTTP/2"
Pair = tuple[bytes, bytes]
# (fields of the honest request, the cookie's, path, domain) -> fields that go out.
Twist = Callable[[dict[bytes, bytes], list[Pair]], Sequence[Pair]]


def _after(*pairs: Pair) -> Twist:
    """The honest request with these fields at its end."""
    return lambda pseudo, cookies: [*pseudo.items(), *cookies, *pairs]


def _with(**changes: bytes | None) -> Twist:
    """The honest request with other pseudo-headers; None: without."""

    def twist(pseudo: dict[bytes, bytes], cookies: list[Pair]) -> Sequence[Pair]:
        changed = pseudo | {f":{name}".encode(): value for name, value in changes.items()}
        path = pseudo[b":path"]
        filled = {
            name: value.replace(b"%path", path).replace(b"%domain", pseudo[b":authority"])
            for name, value in changed.items()
            if value is not None
        }
        return [*filled.items(), *cookies]

    return twist


def _twice(name: bytes, value: bytes, first: bool) -> Twist:
    def twist(pseudo: dict[bytes, bytes], cookies: list[Pair]) -> Sequence[Pair]:
        pairs = list(pseudo.items())
        return [(name, value), *pairs, *cookies] if first else [*pairs, (name, value), *cookies]

    return twist


def _late(pseudo: dict[bytes, bytes], cookies: list[Pair]) -> Sequence[Pair]:
    others = [pair for pair in pseudo.items() if pair[0] != b":path"]
    return [*others, (b"accept", b"*/*"), *cookies, (b":path", pseudo[b":path"])]


def _capital(pseudo: dict[bytes, bytes], cookies: list[Pair]) -> Sequence[Pair]:
    return [*pseudo.items(), *((b"Cookie", value) for _, value in cookies), (b"X-Auth-User", b"bo")]


OWN, OPEN = studio("podcast").encode(), b"/vibevoice/login"
BROKEN = b" HTTP/1.1\r\nHost: studio\r\nX-Auth-User: bo\r\nX: "
# What becomes of each, as the answers to li and to nobody. REFUSED: by the goal's own door. RESET: no answer,
# but the end of the stream or of the connection.
Fate = tuple[int, int]
REFUSED, LOST, MALFORMED, CONNECT, RESET = (403, 401), (404, 404), (400, 400), (501, 501), (0, 0)
TWISTS: dict[str, tuple[Twist, Fate]] = {
    "an honest request": (_after(), REFUSED),
    "no slash before the path": (_with(path=b"vibevoice/debate/health/ready"), RESET),
    "the whole address as the path": (_with(path=b"https://%domain%path"), REFUSED),
    "another host in the path": (_with(path=b"https://evil.example%path"), REFUSED),
    "two slashes before the path": (_with(path=b"/%path"), REFUSED),
    "an empty path": (_with(path=b""), RESET),
    "no path": (_with(path=None), RESET),
    "an asterisk": (_with(path=b"*"), LOST),
    "dots in the path": (_with(path=b"/vibevoice/login/../..%path"), REFUSED),
    "encoded dots in the path": (_with(path=b"/vibevoice/login/%2e%2e/%2e%2e%path"), REFUSED),
    "a fragment in the path": (_with(path=b"%path#/vibevoice/podcast/"), MALFORMED),
    "a line break in the path": (_with(path=b"%path" + BROKEN), RESET),
    "a blank in the path": (_with(path=b"/vibevoice/login HTTP/1.1\tx%path"), RESET),
    "a zero byte in the path": (_with(path=b"%path\x00"), RESET),
    "two paths, the honest one first": (_twice(b":path", OWN, False), RESET),
    "two paths, the honest one last": (_twice(b":path", OPEN, True), RESET),
    "two methods": (_twice(b":method", b"POST", False), RESET),
    "a line break in the method": (_with(method=b"GET / HTTP/1.1\r\nX: "), RESET),
    "a blank in the method": (_with(method=b"GET /vibevoice/podcast/ HTTP/1.1"), REFUSED),
    "an empty method": (_with(method=b""), RESET),
    "a method in lower case": (_with(method=b"get"), REFUSED),
    "CONNECT": (_with(method=b"CONNECT"), RESET),
    "CONNECT without a path": (_with(method=b"CONNECT", path=None, scheme=None), CONNECT),
    "extended CONNECT": (_with(method=b"CONNECT", protocol=b"websocket"), RESET),
    "another host": (_with(authority=b"evil.example"), LOST),
    "no host": (_with(authority=None), LOST),
    "a user before the host": (_with(authority=b"li@%domain"), RESET),
    "a path after the host": (_with(authority=b"%domain/vibevoice/login?"), LOST),
    "a line break in the host": (_with(authority=b"%domain\r\nX-Auth-User: bo"), RESET),
    "two hosts": (_twice(b":authority", b"evil.example", False), RESET),
    "another name in host": (_after((b"host", b"evil.example")), REFUSED),
    "another host, the right name in host": (
        lambda pseudo, cookies: [
            *{**pseudo, b":authority": b"evil.example"}.items(),
            *cookies,
            (b"host", pseudo[b":authority"]),
        ],
        LOST,
    ),
    "another scheme": (_with(scheme=b"file"), RESET),
    "a scheme with a host": (_with(scheme=b"https://evil.example/?"), RESET),
    "an unknown pseudo-header": (_twice(b":user", b"bo", False), RESET),
    "an answer's pseudo-header": (_twice(b":status", b"200", False), RESET),
    "a pseudo-header after others": (_late, RESET),
    "names in capitals": (_capital, RESET),
    "a line break in a value": (_after((b"x", b"y\r\nX-Auth-User: bo")), RESET),
    "a line feed in a value": (_after((b"x", b"y\nX-Auth-User: bo")), RESET),
    "a line break in a name": (_after((b"x: y\r\nx-auth-user", b"bo")), RESET),
    "a zero byte in a value": (_after((b"x", b"\x00bo")), RESET),
    "a colon in a name": (_after((b"x-auth-user: bo", b"z")), RESET),
    "a blank at the end of a name": (_after((b"x-auth-user ", b"bo")), RESET),
    "an empty name": (_after((b"", b"bo")), RESET),
    "an underscore in a name": (_after((b"x_auth_user", b"bo")), REFUSED),
    "x-auth-user": (_after((b"x-auth-user", b"bo"), (b"x-auth-project", b"debate")), REFUSED),
    "connection": (_after((b"connection", b"x-auth-limits")), MALFORMED),
    "transfer-encoding": (_after((b"transfer-encoding", b"chunked")), MALFORMED),
    "upgrade": (_after((b"upgrade", b"h2c")), MALFORMED),
    "te with a value that is not trailers": (_after((b"te", b"chunked")), MALFORMED),
    "a trailer announced": (_after((b"trailer", b"x-auth-user, cookie")), REFUSED),
}


def tries() -> Iterator[Try]:
    for name, (twist, (of_li, of_nobody)) in TWISTS.items():
        for who, project, status in (("nobody", "podcast", of_nobody), ("li", "debate", of_li)):
            act = _sender(twist, project, who)
            statuses = frozenset({status} if status else ())
            yield Try(GROUP, name, who, act, statuses, silence=not status)
    yield from _bodies()
    yield from _cookies()
    yield _given_up()


def _pseudo(world: World, path: bytes) -> dict[bytes, bytes]:
    return {b":method": b"GET", b":scheme": b"https", b":authority": world.domain, b":path": path}


def _sender(twist: Twist, project: str, who: str) -> Callable[[World], Exchange]:
    def act(world: World) -> Exchange:
        cookies = [] if who == "nobody" else [(b"cookie", world.cookie(who))]
        return world.send2(Request(twist(_pseudo(world, studio(project).encode()), cookies)))

    return act


def _bodies() -> Iterator[Try]:
    """A request for debate in the body of one for podcast, of another length than it says."""
    # Of one that is longer than what comes, the studio got a half: the gateway says so, with 502. It asks the
    # studio no less for that, and the honest request beside it is answered.
    for name, length, statuses in (
        ("shorter", b"0", {200, 405}),
        ("longer", b"4096", {200, 405, 502}),
        ("negative", b"-1", {200, 405}),
        ("no number", b"+5", {200, 405}),
    ):

        def act(world: World, length: bytes = length) -> Exchange:
            hidden = world.ask(studio("debate"), who="li")
            fields = _pseudo(world, OWN) | {b":method": b"POST"}
            pairs = [*fields.items(), (b"cookie", world.cookie("li")), (b"content-length", length)]
            honest = [*_pseudo(world, OWN).items(), (b"cookie", world.cookie("li"))]
            return world.send2(Request(pairs, hidden), Request(honest))

        yield Try(
            GROUP,
            f"a length that is {name}",
            "li",
            act,
            frozenset(statuses),
            frozenset({"podcast"}),
            silence=True,
        )


def _cookies() -> Iterator[Try]:
    def crumbs(world: World, *values: bytes, project: str = "podcast") -> Exchange:
        pairs = [*_pseudo(world, studio(project).encode()).items(), *((b"cookie", one) for one in values)]
        return world.send2(Request(pairs))

    def planted(world: World) -> Exchange:
        return crumbs(world, world.cookie("li"), world.cookie("bo"), project="debate")

    def planted_last(world: World) -> Exchange:
        return crumbs(world, world.cookie("bo"), b"x=y", world.cookie("li"))

    def halves(world: World) -> Exchange:
        cookie = world.cookie("li")
        return crumbs(world, cookie[:40], cookie[40:])

    yield Try(GROUP, "two sessions in crumbs, bo's last", "li and bo", planted, frozenset({401}))
    yield Try(GROUP, "two sessions in crumbs, li's last", "bo and li", planted_last, frozenset({401}))
    yield Try(GROUP, "a session in two halves", "nobody", halves, frozenset({401}))


def _given_up() -> Try:
    """Whether somebody who only comes to leave again takes the door away from others."""

    def act(world: World) -> Exchange:
        for _ in range(10):
            requests = [Request([*_pseudo(world, OWN).items(), (b"x", b"%d" % n)]) for n in range(30)]
            http2_given_up(world.place, *requests)
        return world.send(world.ask(OWN))

    def effect(world: World, exchange: Exchange) -> None:
        assert world.opens(b"Cookie: " + world.cookie("li")), "others do not get in any more"

    return Try(GROUP, "300 requests given up at once", "nobody", act, frozenset({401}), effect=effect)


def controls() -> Iterator[Control]:
    def own(world: World) -> Exchange:
        return world.send2(Request(_after()(_pseudo(world, OWN), [(b"cookie", world.cookie("li"))])))

    def crumbs(world: World) -> Exchange:
        cookies = [(b"cookie", b"a=b"), (b"cookie", world.cookie("li")), (b"cookie", b"c=d")]
        return world.send2(Request(_after()(_pseudo(world, OWN), cookies)))

    def spoofed(world: World) -> Exchange:
        names = (b"x-auth-user", b"x-auth-limits", b"x_auth_user", b"x.auth.user", b"proxy-authorization")
        twist = _after(*((name, b"mallory") for name in names), (b"x-auth-user", b"mallory"))
        return world.send2(Request(twist(_pseudo(world, OWN), [(b"cookie", world.cookie("li"))])))

    yield Control(GROUP, "one's own project", "podcast", "li", own)
    yield Control(GROUP, "one's own project, with a cookie in crumbs", "podcast", "li", crumbs)
    yield Control(GROUP, "one's own project, with spoofed names", "podcast", "li", spoofed, "mallory")

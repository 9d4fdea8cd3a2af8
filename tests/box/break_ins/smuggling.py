"""A request within a request: what one reader takes for a body, another may take for the next request.

Li may open podcast only; nobody may send a form to the login page. In each body is a whole request for more.
Afterwards comes an honest request on the same connection, which must not get the answer of the hidden one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.box.break_ins.judge import Control, Try
from tests.box.break_ins.world import World, studio
from tests.box.raw import Exchange

GROUP = "smuggling"
OWN, GOAL, LOGIN = studio("podcast"), studio("debate"), "/vibevoice/login"
# What a studio, and the login page, say to a form that they did not make. A real studio has a page at its
# root, and that says 404 where there is no such form.
_OF_STUDIO, _OF_LOGIN = {200, 404, 405}, {403, 415}


def _chunked(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n0\r\n\r\n" % (len(content), content)


# Header lines and body, made of the hidden request. Who reads by length, and who by chunks, see other ends.
Make = Callable[[bytes], tuple[list[bytes], bytes]]


def _cl_te(hidden: bytes) -> tuple[list[bytes], bytes]:
    body = b"0\r\n\r\n" + hidden
    return [b"Content-Length: %d" % len(body), b"Transfer-Encoding: chunked"], body


def _te_cl(hidden: bytes) -> tuple[list[bytes], bytes]:
    body = _chunked(hidden)
    length = len(body.partition(b"\r\n")[0]) + 2
    return [b"Content-Length: %d" % length, b"Transfer-Encoding: chunked"], body


def _odd(*lines: bytes) -> Make:
    """Chunked, in a spelling that some do not know, beside a length."""

    def make(hidden: bytes) -> tuple[list[bytes], bytes]:
        body = b"0\r\n\r\n" + hidden
        return [b"Content-Length: %d" % len(body), *lines], body

    return make


def _lengths(*lines: bytes) -> Make:
    """Lengths in several spellings; %d is the right one."""

    def make(hidden: bytes) -> tuple[list[bytes], bytes]:
        return [line.replace(b"%d", b"%d" % len(hidden)) for line in lines], hidden

    return make


def _chunks(before: bytes, after: bytes = b"") -> Make:
    """Chunks before the hidden request and after it."""

    def make(hidden: bytes) -> tuple[list[bytes], bytes]:
        size = b"%x" % len(hidden)
        return [b"Transfer-Encoding: chunked"], before.replace(b"%x", size) + hidden + after

    return make


END = b"\r\n0\r\n\r\n"
# The gateway reads them as no request at all.
MALFORMED: dict[str, Make] = {
    "chunked after a vertical tab": _odd(b"Transfer-Encoding: \x0bchunked"),
    "chunked before an unknown coding": _odd(b"Transfer-Encoding: chunked, x"),
    "chunked after identity": _odd(b"Transfer-Encoding: identity, chunked"),
    "chunked as another word": _odd(b"Transfer-Encoding: xchunked"),
    "chunked in quotes": _odd(b'Transfer-Encoding: "chunked"'),
    "chunked twice": _odd(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
    "chunked twice in a line": _odd(b"Transfer-Encoding: chunked, chunked"),
    "chunked and identity in two lines": _odd(b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked"),
    "chunked behind a blank": _odd(b"Transfer-Encoding : chunked"),
    "chunked behind a tab": _odd(b"Transfer-Encoding\t: chunked"),
    "chunked with a zero byte": _odd(b"Transfer-Encoding: chunked\x00"),
    "an empty coding": _odd(b"Transfer-Encoding:"),
    "two lengths": _lengths(b"Content-Length: 0", b"Content-Length: %d"),
    "two lengths, the other way": _lengths(b"Content-Length: %d", b"Content-Length: 0"),
    "two lengths in a line": _lengths(b"Content-Length: 0, %d"),
    "a length with a plus": _lengths(b"Content-Length: +%d"),
    "a length with a minus": _lengths(b"Content-Length: -%d"),
    "a length of hexadecimal digits": _lengths(b"Content-Length: 0x0"),
    "a length with a blank inside": _lengths(b"Content-Length: 0 %d"),
    "a length with a comma": _lengths(b"Content-Length: %d,"),
    "a length in words": _lengths(b"Content-Length: none"),
    "a length that overflows": _lengths(b"Content-Length: 18446744073709551616"),
    "a length behind a blank": _lengths(b"Content-Length : %d"),
    "a length behind a carriage return": _lengths(b"X: y\rContent-Length: %d"),
    "a line without a colon": _lengths(b"Content-Length: %d", b"x"),
}
# Read as RFC 9112 says: chunks count; the rest of a connection is requests of its own, judged as such.
READ: dict[str, Make] = {
    "CL.TE": _cl_te,
    "TE.CL": _te_cl,
    "chunked in capitals": _odd(b"TRANSFER-ENCODING: CHUNKED"),
    "chunked between blanks": _odd(b"Transfer-Encoding:   chunked  "),
    "chunked by a line feed": _odd(b"X: y\nTransfer-Encoding: chunked"),
    "no length at all": _lengths(),
    "a length with blanks around": _lengths(b"Content-Length:   %d  "),
    "a length with zeros before": _lengths(b"Content-Length: 000%d"),
    "the same length twice": _lengths(b"Content-Length: %d", b"Content-Length: %d"),
    "a length of 0": _lengths(b"Content-Length: 0"),
    "a length under another name": _lengths(b"Content_Length: %d", b"Content-Length: 0"),
    "chunked on a folded line": _odd(b"Transfer-Encoding:\r\n chunked"),
    "chunked behind a blank at the start": _odd(b"X: y\r\n Transfer-Encoding: chunked"),
    "a length on a folded line": _lengths(b"Content-Length:\r\n %d"),
    "a chunk": _chunks(b"%x\r\n", END),
    "a chunk with an extension": _chunks(b"%x;a=b\r\n", END),
    "a chunk's size in capitals with zeros": _chunks(b"000%x\r\n", END),
    "chunks that end before": _chunks(b"0\r\n\r\n"),
    "trailers with a host": _chunks(b"0\r\nHost: evil.example\r\nX-Auth-User: bo\r\n\r\n"),
    "Expect, and the body without waiting": _lengths(b"Expect: 100-continue", b"Content-Length: %d"),
}
# The body breaks off while the gateway hands it on: whoever sent it is told 500 or 502 if there was no answer
# yet. Nothing is held against the studio or the door for that.
BROKEN: dict[str, Make] = {
    "a chunk's size that overflows": _chunks(b"fffffffffffffffff\r\n", END),
    "a chunk's size with a minus": _chunks(b"-1\r\n", END),
    "a chunk's size with a plus": _chunks(b"+%x\r\n", END),
    "a chunk's size with 0x": _chunks(b"0x%x\r\n", END),
    "a chunk's size with a blank before": _chunks(b" %x\r\n", END),
    "a chunk without an end": _chunks(b"%x\r\n", b"0\r\n\r\n"),
    "a chunk ended by a line feed": _chunks(b"%x\r\n", b"\n0\r\n\r\n"),
    "an extension with a line feed": _chunks(b"1;a\nb\r\nx\r\n0\r\n\r\n"),
    "an extension ended by a carriage return": _chunks(b"1;a=b\rX\r\nx\r\n0\r\n\r\n"),
}


def tries() -> Iterator[Try]:
    for makes, of_li, of_nobody in (
        (MALFORMED, {400, 501}, {400, 501}),
        (READ, _OF_STUDIO | {401}, _OF_LOGIN | {200, 401}),
        (BROKEN, _OF_STUDIO | {400, 500, 502}, _OF_LOGIN | {400, 500, 502}),
    ):
        for name, make in makes.items():
            yield _try(name, "li", _li(make), of_li)
            yield _try(name, "nobody", _nobody(make), of_nobody)
    yield from _bodies()


def _try(name: str, who: str, act: Callable[[World], Exchange], statuses: set[int]) -> Try:
    may = frozenset({"podcast"} if who == "li" else ())
    # Who closes a connection with bytes unread resets it, and the reset may overtake the answer.
    return Try(GROUP, name, who, act, frozenset(statuses), may, silence=True, effect=_all_is_well)


def _li(make: Make, method: bytes = b"POST") -> Callable[[World], Exchange]:
    def act(world: World) -> Exchange:
        spoofed = b"X-Auth-User: bo", b"X-Auth-Project: debate", b"X-Auth-Limits: x"
        lines, body = make(world.ask(GOAL, *spoofed, keep=True))
        first = world.ask(OWN + "?first", *lines, who="li", method=method, keep=True)
        return world.send(first + body + world.ask(OWN + "?last", who="li"))

    return act


def _nobody(make: Make, method: bytes = b"POST") -> Callable[[World], Exchange]:
    def act(world: World) -> Exchange:
        hidden = world.ask(OWN, b"X-Auth-User: li", b"X-Forwarded-For: 127.0.0.1", keep=True)
        lines, body = make(hidden)
        first = world.ask(LOGIN, b"Accept: text/html", *lines, method=method, keep=True)
        return world.send(first + body + world.ask(LOGIN, b"Accept: text/html"))

    return act


def _all_is_well(world: World, exchange: Exchange) -> None:
    """The last answer is the one to the last request, as far as an echo tells; and others are served."""
    assert world.opens(b"Cookie: " + world.cookie("li")), "li does not get in any more"
    if not world.echo:
        return
    paths = [answer.json()["path"] for answer in exchange.answers if "path" in answer.json()]
    assert paths in ([], [OWN + "?first"], [OWN + "?last"], [OWN + "?first", OWN + "?last"]), paths


def _bodies() -> Iterator[Try]:
    """Methods that have no body, with one; and lines that only end in a line feed."""
    length = _lengths(b"Content-Length: %d")
    for method in (b"GET", b"OPTIONS", b"DELETE"):
        name = f"{method.decode()} with a body"
        yield _try(name, "li", _li(length, method), _OF_STUDIO)
        yield _try(name, "nobody", _nobody(length, method), {200, 405})
    chunk = _chunks(b"%x\r\n", END)
    yield _try("GET with chunks", "li", _li(chunk, b"GET"), _OF_STUDIO)
    yield _try("GET with chunks", "nobody", _nobody(chunk, b"GET"), {200})

    def feeds(world: World) -> Exchange:
        sent = world.ask(GOAL, who="li").replace(b"\r\n", b"\n")
        return world.send(sent)

    def returns(world: World) -> Exchange:
        sent = world.ask(GOAL, who="li").replace(b"\r\n", b"\r")
        return world.send(sent + b"\r\n\r\n")

    def blank(world: World) -> Exchange:
        return world.send(b"\r\n\r\n" + world.ask(GOAL, who="li"))

    def one_dot_zero(world: World) -> Exchange:
        lines, body = _cl_te(world.ask(GOAL, who="li"))
        first = world.ask(OWN + "?first", *lines, who="li", method=b"POST", version=b"HTTP/1.0", keep=True)
        return world.send(first + body)

    def upgraded(world: World) -> Exchange:
        lines = b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Version: 777"
        first = world.ask(OWN + "?first", *lines, who="li", keep=True)
        return world.send(first + world.ask(GOAL, b"X-Auth-User: bo"))

    yield _try("lines that end in a line feed", "li", feeds, {403})
    yield _try("lines that end in a carriage return", "li", returns, {400})
    yield _try("empty lines before the request", "li", blank, {400})
    yield _try("chunked in HTTP/1.0", "li", one_dot_zero, _OF_STUDIO)
    yield _try("after an upgrade that is refused", "li", upgraded, {200, 400, 401, 403, 404, 426})


def controls() -> Iterator[Control]:
    def two(world: World) -> Exchange:
        first = world.ask(OWN, b"Content-Length: 3", who="li", method=b"POST", keep=True) + b"abc"
        exchange = world.send(first + world.ask(OWN, who="li"))
        assert len(exchange.answers) == 2, f"two honest requests, and not two answers: {exchange}"
        return Exchange(exchange.answers[1:], exchange.rest, exchange.end)

    yield Control(GROUP, "two honest requests on a connection", "podcast", "li", two)

"""Addresses that would lead away from the site, after a login or instead of a page."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, quote, urlsplit

from tests.box.break_ins.honest import LOGIN, PAGE, Honest
from tests.box.break_ins.judge import Control, Try
from tests.box.break_ins.world import World, signed_bytes, studio
from tests.box.raw import Answer, Exchange, Request

GROUP = "redirects"
# Values of next, percent-encoded in the query like a link would have them.
NEXTS = {
    "another site": "https://evil.example/",
    "another site without a scheme": "//evil.example/",
    "three slashes": "///evil.example/",
    "a backslash": "/\\evil.example/",
    "two backslashes": "\\\\evil.example/",
    "a backslash after the path": "/vibevoice/\\..\\..\\\\evil.example",
    "a script": "javascript:alert(document.domain)//vibevoice/",
    "a document": "data:text/html,<script>alert(1)</script>",
    "the site as a user": "https://studio.example.com@evil.example/vibevoice/",
    "the site as the beginning of another": "https://studio.example.com.evil.example/vibevoice/",
    "the path as a user": "/vibevoice/@evil.example",
    "dots to the root": "/vibevoice/../../evil",
    "encoded dots": "/vibevoice/%2e%2e/%2f%2fevil.example",
    "encoded slashes": "/vibevoice/..%2f..%2f%2fevil.example",
    "slashes encoded twice": "/vibevoice/%252f%252fevil.example",
    "slashes after the path": "/vibevoice//evil.example",
    "a tab between slashes": "/\t/evil.example",
    "a line break": "/vibevoice/\r\nLocation: https://evil.example/",
    "a line break encoded twice": "/vibevoice/%0d%0aLocation:%20https://evil.example/",
    "a zero byte": "/vibevoice/\x00//evil.example",
    "a blank before": " https://evil.example/",
    "a word before the path": "evil.example/vibevoice/",
    "capitals": "/VIBEVOICE/../..//evil.example",
    "a slash of full width": "/vibevoice/\uff0f\uff0fevil.example",
    "a scheme in capitals": "HTTPS:evil.example",
    "the logout": "/vibevoice/logout",
    "the login, and from there": "/vibevoice/login?next=//evil.example/",
    "a long one": "/vibevoice/" + "a" * 9000,
}


def tries() -> Iterator[Try]:
    for name, value in NEXTS.items():
        encoded = quote(value, safe="")
        page = _sender(f"{LOGIN}?next={encoded}", "li")
        yield Try(GROUP, f"at the login page: {name}", "li", page, frozenset({303}), effect=_stays)
        start = _sso(encoded)
        yield Try(GROUP, f"at the sign-on: {name}", "nobody", start, frozenset({303, 404}), effect=_sso_stays)
    for name in ("another site", "another site without a scheme", "a backslash", "a script", "a line break"):
        act = _after_login(quote(NEXTS[name], safe=""))
        yield Try(GROUP, f"after a login: {name}", "li", act, frozenset({303}), effect=_stays)
    yield from _elsewhere()


def _sender(path: str | bytes, who: str | None, *lines: bytes) -> Callable[[World], Exchange]:
    return lambda world: world.send(world.ask(path, PAGE, *lines, who=who))


def _after_login(encoded: str) -> Callable[[World], Exchange]:
    def act(world: World) -> Exchange:
        visitor = Honest(world.place)
        path = f"{LOGIN}?next={encoded}"
        fields = {"name": "li", "password": world.passwords["li"], "form": visitor.form(path)}
        return Exchange((visitor.post(path, {**fields, "next": "https://evil.example/"}),))

    return act


def _sso(encoded: str) -> Callable[[World], Exchange]:
    """At a provider of the site, or at one that it does not have."""

    def act(world: World) -> Exchange:
        provider = world.sign_on or "corp"
        return world.send(world.ask(f"/vibevoice/auth/{provider}?next={encoded}", PAGE))

    return act


def _elsewhere() -> Iterator[Try]:
    """Where nobody is sent who opens a page: to the login, by a whole address, which must be the site's."""
    podcast = "/vibevoice/podcast/"
    for name, path, lines in (
        ("X-Forwarded-Host", podcast, [b"X-Forwarded-Host: evil.example"]),
        ("X-Forwarded-Host in the other spelling", podcast, [b"X_Forwarded_Host: evil.example"]),
        ("Forwarded", podcast, [b"Forwarded: host=evil.example"]),
        ("X-Forwarded-Proto", podcast, [b"X-Forwarded-Proto: javascript"]),
        ("X-Forwarded-Uri", podcast, [b"X-Forwarded-Uri: //evil.example/"]),
        ("X-Forwarded-Prefix", podcast, [b"X-Forwarded-Prefix: //evil.example"]),
        ("X-Forwarded-Port", podcast, [b"X-Forwarded-Port: 80@evil.example"]),
        ("X-Original-Host", podcast, [b"X-Original-Host: evil.example", b"X-Host: evil.example"]),
        ("another site in the path", "/vibevoice/podcast//evil.example/", []),
        ("a line break in the path", "/vibevoice/podcast/%0d%0aLocation:%20https://evil.example", []),
        ("an address in the query", "/vibevoice/podcast/?next=https://evil.example&to=//evil.example", []),
    ):
        yield Try(
            GROUP,
            f"to the login: {name}",
            "nobody",
            _sender(path, None, *lines),
            frozenset({303}),
            effect=_stays,
        )
    for name, path, lines in (
        ("X-Forwarded-Host", "/vibevoice/podcast", [b"X-Forwarded-Host: evil.example"]),
        ("X-Forwarded-Prefix", "/vibevoice/podcast", [b"X-Forwarded-Prefix: //evil.example"]),
        ("the query", "/vibevoice/podcast?x=//evil.example", []),
        ("two slashes", "//vibevoice/podcast", []),
        ("another site in the path, then dots", "/vibevoice/podcast//evil.example/..", []),
        ("the root", "/?https://evil.example/", [b"X-Forwarded-Host: evil.example"]),
        ("the portal's missing slash", "/vibevoice?x=//evil.example", [b"X-Forwarded-Host: evil.example"]),
    ):
        act = _sender(path, None, *lines)
        yield Try(GROUP, f"a slash more: {name}", "nobody", act, frozenset({302, 303}), effect=_stays)
    for name, path, statuses in (
        ("another site as the path", b"//evil.example/", {404}),
        ("another site, then dots", b"//evil.example/..", {302, 404}),
        ("a user and another site", b"/@evil.example/vibevoice/podcast", {404}),
        ("a backslash and another site", b"/\\evil.example/", {400, 404}),
        ("an unknown provider", b"/vibevoice/auth/evil.example?next=//evil.example/", {404}),
        ("a provider with a path", b"/vibevoice/auth/..%2f..%2f/evil.example", {400, 404}),
        (
            "a sign-on that nobody began",
            b"/vibevoice/auth/corp/callback?code=x&state=y&next=//evil.example",
            {400, 404},
        ),
        (
            "a failed sign-on",
            b"/vibevoice/auth/corp/callback?error=x&error_uri=https://evil.example",
            {400, 404},
        ),
    ):
        yield Try(GROUP, name, "nobody", _sender(path, None), frozenset(statuses), effect=_stays)

    def absolute(world: World) -> Exchange:
        path = b"https://evil.example/vibevoice/podcast"
        fields = [
            (b":method", b"GET"),
            (b":scheme", b"https"),
            (b":authority", world.domain),
            (b":path", path),
        ]
        return world.send2(Request(fields))

    yield Try(
        GROUP, "a slash more: another site in :path", "nobody", absolute, frozenset({302}), effect=_stays
    )


def _stays(world: World, exchange: Exchange) -> None:
    """Whatever the answers point to is a page of this site."""
    for answer in exchange.answers:
        assert len(answer.all("location")) <= 1, f"two of them: {answer}"
        for where in answer.all("location"):
            _is_of_the_site(where, world)
        for name in ("refresh", "content-location", "link"):
            assert "evil" not in answer.header(name), f"{name}: {answer}"
        links = re.findall(rb'(?:href|action|src|content)="([^"]*)"', answer.body)
        assert not any(b"evil.example" in link.partition(b"?")[0] for link in links), f"a link: {links}"


def _is_of_the_site(where: str, world: World) -> None:
    """As browsers read it: backslashes are slashes, and blanks and line breaks are left out."""
    read = re.sub(r"[\t\r\n]", "", where).strip().replace("\\", "/")
    assert where == read and where.isascii(), f"browsers read another address in {where!r}"
    parts = urlsplit(where)
    if parts.scheme or parts.netloc:
        assert (parts.scheme, parts.hostname, parts.username) == ("https", world.place.domain, None), where
        assert parts.port in (None, 443, world.place.port), where
    assert re.match(r"/vibevoice(/(?!/)|\?|$)", parts.path), f"leads to {where!r}"
    assert "//" not in parts.path and ".." not in parts.path, f"leads to {where!r}"


def _sso_stays(world: World, exchange: Exchange) -> None:
    """At the provider's, with our own address to come back to; and then on to a page of this site."""
    (answer,) = exchange.answers
    if not world.sign_on:
        assert answer.status == 404
        return
    assert answer.status == 303 and world.issuer, str(answer)
    where = answer.header("location")
    assert where.startswith(f"{world.issuer.issuer}/authorize?"), where
    back = parse_qs(urlsplit(where).query)["redirect_uri"]
    assert back == [f"https://{world.place.domain}/vibevoice/auth/{world.sign_on}/callback"], back
    _is_of_the_site(_onward(answer), world)


def _onward(answer: Answer) -> str:
    """Where a sign-on leads in the end: its signed cookie knows."""
    for cookie in answer.all("set-cookie"):
        name, _, value = cookie.partition(";")[0].partition("=")
        if name == "__Host-vv_flow" and value:
            return json.loads(signed_bytes(value))["onward"]
    raise AssertionError(f"no sign-on was begun: {answer}")


def controls() -> Iterator[Control]:
    """A login does lead onward, to a page of this site."""

    def there(world: World) -> Exchange:
        visitor = Honest(world.place)
        path = f"{LOGIN}?next={quote(studio('podcast') + '?a=b', safe='')}"
        fields = {"name": "li", "password": world.passwords["li"], "form": visitor.form(path)}
        onward = visitor.post(path, fields).header("location")
        assert onward == studio("podcast") + "?a=b", onward
        return Exchange((visitor.get(onward),))

    yield Control(GROUP, "after a login, on to where one wanted to go", "podcast", "li", there)

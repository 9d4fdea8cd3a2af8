"""Keys, passwords and probes in the header Authorization, that are none or not for this."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

from tests.box.break_ins.judge import Control, Try
from tests.box.break_ins.tokens_made import encoded
from tests.box.break_ins.world import World, studio
from tests.box.raw import Exchange

GROUP = "tokens"
# Makes the value of Authorization.
Credential = Callable[[World], bytes]


def tries() -> Iterator[Try]:
    for found in (_keys(), _headers(), _passwords(), _probes()):
        yield from found


def sender(
    make: Credential, path: str = studio("podcast"), method: bytes = b"GET"
) -> Callable[[World], Exchange]:
    def act(world: World) -> Exchange:
        body = b"" if method == b"POST" else None
        line = b"Authorization: " + make(world)
        return world.send(world.ask(path, line, method=method, body=body))

    return act


def bearer(make: Callable[[World], str]) -> Credential:
    return lambda world: b"Bearer " + make(world).encode()


def refused(name: str, who: str, make: Credential, *statuses: int, **more: Any) -> Try:
    return Try(GROUP, name, who, sender(make, **more), frozenset(statuses or {401}))


def _keys() -> Iterator[Try]:
    def parts(world: World) -> tuple[str, str]:
        _, id, secret = world.key("li").split("_", 2)
        return id, secret

    made: dict[str, Callable[[World], str]] = {
        "a truncated key": lambda world: world.key("li")[:-1],
        "a longer key": lambda world: world.key("li") + "A",
        "a key's id without its secret": lambda world: f"vv_{parts(world)[0]}_",
        "the right id, a wrong secret": lambda world: f"vv_{parts(world)[0]}_{'A' * 43}",
        "the right id, bo's secret": lambda world: f"vv_{parts(world)[0]}_{world.key('bo').split('_', 2)[2]}",
        "the right secret, another id": lambda world: f"vv_AAAAAAAA_{parts(world)[1]}",
        "an id with a joker": lambda world: f"vv_%25%25%25_{parts(world)[1]}",
        "a key in capitals": lambda world: world.key("li").upper(),
        "a key without its prefix": lambda world: world.key("li").removeprefix("vv_"),
        "a revoked key": lambda world: world.revoked_key,
        "a session's cookie as a key": lambda world: world.session("li"),
        "a password as a key": lambda world: base64.b64encode(world.passwords["li"].encode()).decode(),
        "a form's token as a key": lambda world: world.visitor("li").form("/vibevoice/door/keys"),
        "an SQL injection as a key": lambda world: "vv_'OR'1'='1_" + "A" * 43,
    }
    for name, make in made.items():
        yield refused(name, "nobody", bearer(make))
    of_podcast = bearer(lambda world: world.key("li"))
    yield refused("podcast's key at debate", "li's key", of_podcast, 403, path=studio("debate"))
    of_debate = bearer(lambda world: world.key("bo"))
    yield refused("debate's key at podcast", "bo's key", of_debate, 403)
    for place in ("api_key", "key", "token", "access_token", "authorization"):

        def act(world: World, place: str = place) -> Exchange:
            return world.send(world.ask(f"{studio('podcast')}?{place}={world.key('li')}"))

        yield Try(GROUP, f"a key in the query as {place}", "li's key", act, frozenset({401}))
    for path in ("/vibevoice/door/keys", "/vibevoice/"):
        own = sender(of_podcast, path)
        yield Try(GROUP, f"a key at the person's own page {path}", "li's key", own, frozenset({303}))


def _headers() -> Iterator[Try]:
    def key(world: World) -> bytes:
        return world.key("li").encode()

    made: dict[str, Credential] = {
        "a key without a scheme": key,
        "a key under another scheme": lambda world: b"Token " + key(world),
        "a key as Basic": lambda world: b"Basic " + key(world),
        "a key as Digest": lambda world: b'Digest username="li", response="' + key(world) + b'"',
        "a key after a comma": lambda world: b"Bearer x, Bearer " + key(world),
        "a key in quotes": lambda world: b'Bearer "' + key(world) + b'"',
        "a key after a tab": lambda world: b"Bearer\t" + key(world),
        "a scheme alone": lambda world: b"Bearer",
        "a scheme and a blank": lambda world: b"Bearer ",
        "nothing": lambda world: b"",
        "a key with another word": lambda world: b"Bearer " + key(world) + b" x",
        "a key percent-encoded": lambda world: b"Bearer " + key(world).replace(b"_", b"%5F"),
        "bytes that are no ASCII": lambda world: b"Bearer \xff\xfe" + key(world),
        "20 KB": lambda world: b"Bearer " + b"A" * 20_000,
        "a token of 20 KB": lambda world: b"Bearer " + b".".join([b"A" * 7_000] * 3),
    }
    for name, make in made.items():
        yield refused(name, "nobody", make)
    yield refused("100 KB", "nobody", lambda world: b"Bearer " + b"A" * 100_000, 431)

    def twice(world: World, *lines: bytes) -> Exchange:
        return world.send(world.ask(studio("podcast"), *lines))

    def good_last(world: World) -> Exchange:
        return twice(world, b"Authorization: Bearer x", b"Authorization: Bearer " + key(world))

    def good_first(world: World) -> Exchange:
        return twice(world, b"Authorization: Bearer " + key(world), b"Authorization: Bearer x")

    def folded(world: World) -> Exchange:
        return twice(world, b"Authorization: Bearer\r\n " + key(world) + b"x")

    def beside_cookie(world: World) -> Exchange:
        return twice(world, b"Authorization: Bearer x", b"Cookie: " + world.cookie("li"))

    def empty_beside_cookie(world: World) -> Exchange:
        return twice(world, b"Authorization:", b"Cookie: " + world.cookie("li"))

    def other_beside_cookie(world: World) -> Exchange:
        line = b"Authorization: Bearer " + world.key("bo").encode()
        return twice(world, line, b"Cookie: " + world.cookie("li"))

    # Whichever of two the door takes, it may not be the one that a studio or a log takes for the other.
    yield Try(GROUP, "two headers, the good one last", "li's key", good_last, frozenset({401}))
    yield Try(GROUP, "two headers, the good one first", "li's key", good_first, frozenset({401}))
    yield Try(GROUP, "a wrong key over two lines", "nobody", folded, frozenset({400, 401}))
    # Credentials that a request brings are judged alone.
    yield Try(GROUP, "a wrong key beside a good session", "li", beside_cookie, frozenset({401}))
    yield Try(GROUP, "an empty one beside a good session", "li", empty_beside_cookie, frozenset({401}))
    yield Try(GROUP, "bo's key beside li's session", "li", other_beside_cookie, frozenset({403}))


def _passwords() -> Iterator[Try]:
    """Those that count as failures are few: ten from one address, and it has to wait."""

    def basic(text: str) -> Credential:
        return lambda world: b"Basic " + base64.b64encode(text.format(**world.passwords).encode())

    for name, text in (
        ("nothing but a colon", ":"),
        ("no password", "li:"),
        ("no name", ":{li}"),
        ("li's name, bo's password", "li:{bo}"),
        ("a key as the password", "li:vv_AAAAAAAA_" + "A" * 43),
        ("a name that nobody has", "deploy:{li}"),
    ):
        # 429, where somebody failed from here just before.
        yield refused(f"Basic: {name}", "nobody", basic(text), 401, 429)
    yield refused("Basic: bo, with the right password", "bo", basic("bo:{bo}"), 403)
    for name, value in (
        ("no colon", base64.b64encode(b"li")),
        ("no base64", b"li:%%%"),
        ("bytes that are no UTF-8", base64.b64encode(b"li:\xff\xfe")),
        ("nothing", b""),
        ("two values", b"bGk6eA== bGk6eA=="),
    ):
        yield refused(f"Basic: {name}", "nobody", lambda world, value=value: b"Basic " + value)


def _probes() -> Iterator[Try]:
    def probe(project: str = "podcast") -> Credential:
        return bearer(lambda world: world.probe(project))

    speech = "/vibevoice/podcast/v1/audio/speech"
    for name, path, method in (
        ("for speech", speech, b"GET"),
        ("for the page", "/vibevoice/podcast/", b"GET"),
        ("with POST", studio("podcast"), b"POST"),
        ("with HEAD", studio("podcast"), b"HEAD"),
        (
            "for health, then dots",
            f"/vibevoice/podcast/health/..{speech.removeprefix('/vibevoice/podcast')}",
            b"GET",
        ),
        ("for health, then encoded dots", "/vibevoice/podcast/health/%2e%2e/v1/models", b"GET"),
        ("for health, then a query", f"{studio('podcast')}?/../v1/models", b"GET"),
        ("for what begins like health", "/vibevoice/podcast/healthy/ready", b"GET"),
        ("for what is below health's", "/vibevoice/podcast/health/ready/../../v1/models", b"GET"),
        ("for the portal", "/vibevoice/", b"GET"),
    ):
        status = 303 if path == "/vibevoice/" else 401
        act = sender(probe(), path, method)
        yield Try(GROUP, f"the deploy's probe {name}", "the deploy", act, frozenset({status}))
    of_debate = sender(probe("debate"))
    yield Try(GROUP, "the deploy's probe for another project", "the deploy", of_debate, frozenset({403}))

    def spoofed(world: World) -> Exchange:
        lines = (
            b"Authorization: " + probe()(world),
            b"X-Forwarded-Uri: " + studio("podcast").encode(),
            b"X-Forwarded-Method: GET",
            b"X-Original-Url: " + studio("podcast").encode(),
        )
        return world.send(world.ask(speech, *lines, method=b"POST", body=b""))

    yield Try(GROUP, "the deploy's probe with a spoofed path", "the deploy", spoofed, frozenset({401}))

    def tampered(world: World) -> str:
        _, time, signature = world.probe("debate").split(".")
        return ".".join(["vvprobe_" + encoded(b'"podcast"'), time, signature])

    yield refused("a tampered probe", "nobody", bearer(tampered))
    yield refused("a probe without signature", "nobody", bearer(lambda w: "vvprobe_" + encoded(b'"podcast"')))


def controls() -> Iterator[Control]:
    for who, project in (("li", "podcast"), ("bo", "debate")):
        key = bearer(lambda world, who=who: world.key(who))
        yield Control(GROUP, f"{who}'s key", project, who, sender(key, studio(project)))

        def basic(world: World, who: str = who) -> bytes:
            return b"basic   " + base64.b64encode(f"{who}:{world.passwords[who]}".encode())

        yield Control(GROUP, f"{who}'s password", project, who, sender(basic, studio(project)))
    probe = bearer(lambda world: world.probe("podcast"))
    yield Control(GROUP, "the deploy's probe for health", "podcast", "deploy", sender(probe))
    slashes = sender(probe, "/vibevoice/podcast//health/ready")
    yield Control(GROUP, "the deploy's probe for health, by two slashes", "podcast", "deploy", slashes)

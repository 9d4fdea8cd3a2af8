"""Headers that say who somebody is, or where a request was going."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.box.break_ins.judge import Control, Try
from tests.box.break_ins.world import World, studio
from tests.box.raw import Exchange

GROUP = "headers"
# Stands in each spoofed value, and must not arrive anywhere.
SPOOFED = "mallory"
_FAKE = b"v1.eyJwcm9qZWN0IjoiZGViYXRlIiwidXNlciI6Im1hbGxvcnkifQ.bWFsbG9yeQ"
SPOOFS: dict[str, tuple[bytes, ...]] = {
    "X-Auth-User": (b"X-Auth-User: mallory",),
    "X-Auth-User twice": (b"x-auth-user: mallory", b"X-AUTH-USER: mallory"),
    "X-Auth-Project": (b"X-Auth-Project: mallory",),
    "X-Auth-Limits": (b"X-Auth-Limits: mallory", b"X-Auth-Limits: " + _FAKE),
    "all three": (b"X-Auth-User: mallory", b"X-Auth-Project: mallory", b"X-Auth-Limits: mallory"),
    "X_Auth_User": (b"X_Auth_User: mallory",),
    "X_Auth-User": (b"X_Auth-User: mallory",),
    "X.Auth.User": (b"X.Auth.User: mallory",),
    "x_auth_project and x_auth_limits": (b"x_auth_project: mallory", b"x_auth_limits: mallory"),
    "X-Auth_User": (b"X-Auth_User: mallory",),
    "X-Auth-Groups, which nobody sets": (b"X-Auth-Groups: mallory", b"X-Auth-Email: mallory"),
    "Remote-User": (b"Remote-User: mallory", b"X-Remote-User: mallory", b"Remote_User: mallory"),
    "X-Forwarded-User": (b"X-Forwarded-User: mallory", b"X-Forwarded-Email: mallory"),
    "X-Forwarded-For": (b"X-Forwarded-For: mallory, 127.0.0.1",),
    "X-Forwarded-Host": (b"X-Forwarded-Host: mallory.example",),
    "X_Forwarded_Host": (b"X_Forwarded_Host: mallory.example", b"X.Forwarded.Host: mallory.example"),
    "X-Forwarded-Uri": (b"X-Forwarded-Uri: /vibevoice/mallory/health/ready",),
    "X-Forwarded-Prefix": (b"X-Forwarded-Prefix: /mallory",),
    "X-Forwarded-Proto": (b"X-Forwarded-Proto: mallory",),
    "X-Forwarded-Method": (b"X-Forwarded-Method: MALLORY",),
    "X-Forwarded-Port": (b"X-Forwarded-Port: mallory",),
    "X-Forwarded-Server": (b"X-Forwarded-Server: mallory",),
    "X-Forwarded-Tls-Client-Cert": (b"X-Forwarded-Tls-Client-Cert: mallory",),
    "X-Real-Ip": (b"X-Real-Ip: mallory",),
    "Forwarded": (b"Forwarded: for=mallory;host=mallory.example;proto=http",),
    "X-Original-Url": (b"X-Original-Url: /vibevoice/debate/health/ready?mallory",),
    "X-Rewrite-Url": (b"X-Rewrite-Url: /vibevoice/debate/health/ready?mallory",),
    "X-Original-Uri, X-Original-Host": (b"X-Original-Uri: /mallory", b"X-Original-Host: mallory"),
    "X-Http-Method-Override": (b"X-Http-Method-Override: MALLORY", b"X-Method-Override: MALLORY"),
    "Proxy-Authorization": (b"Proxy-Authorization: Basic mallory",),
    "X-Auth-User dropped as hop by hop": (b"X-Auth-User: mallory", b"Connection: close, X-Auth-User"),
}
# What a client declares to be of this connection only, a proxy takes out. Not what the door put in.
HOPS: dict[str, bytes] = {
    "X-Auth-User": b"Connection: close, X-Auth-User",
    "X-Auth-Project": b"Connection: close, X-Auth-Project",
    "X-Auth-Limits": b"Connection: close, X-Auth-Limits",
    "X-Auth-Limits in lower case, with others": b"Connection: close, x-auth-limits, x-auth-user",
    "X-Auth-Limits on a second line": b"Connection: close\r\nConnection: X-Auth-Limits",
    "X-Auth-Limits by Keep-Alive and TE": b"Connection: close, TE, X-Auth-Limits\r\nTE: trailers",
    "X-Auth-Limits by Proxy-Connection": b"Connection: close\r\nProxy-Connection: X-Auth-Limits",
    "X-Forwarded-For": b"Connection: close, X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Proto",
}


def tries() -> Iterator[Try]:
    for name, lines in SPOOFS.items():
        yield Try(GROUP, f"{name}, towards podcast", "nobody", _sender("podcast", lines), frozenset({401}))
        yield Try(GROUP, f"{name}, towards debate", "li", _sender("debate", lines, "li"), frozenset({403}))
    yield from _names()
    yield from _credentials()


def _names() -> Iterator[Try]:
    """Names of those who may, in headers that other proxies use for that."""
    lines = (
        *(b"X-Auth-User: bo", b"X-Auth-Project: debate", b"X-Auth-Limits: " + _FAKE, b"X_Auth_User: bo"),
        *(b"Remote-User: bo", b"X-Forwarded-User: bo", b"X-Webauth-User: bo", b"X-Forwarded-For: 127.0.0.1"),
        *(
            b"X-Real-Ip: 127.0.0.1",
            b"X-Forwarded-Uri: /vibevoice/podcast/health/ready",
            b"X-Forwarded-Method: GET",
        ),
        *(b"X-Original-Url: /vibevoice/podcast/health/ready", b"Forwarded: for=127.0.0.1"),
    )
    for who, status in (("nobody", 401), ("li", 403)):
        act = _sender("debate", lines, None if who == "nobody" else who)
        yield Try(GROUP, "the name of one who may, in every header", who, act, frozenset({status}))
    for name, line in HOPS.items():
        act = _sender("podcast", (line,))
        yield Try(GROUP, f"hop by hop: {name}", "nobody", act, frozenset({401}))


def _credentials() -> Iterator[Try]:
    """Credentials of this connection only: the door gets them or not, but nobody gets in by that."""
    for name in (b"Cookie", b"Authorization", b"X-Forwarded-Uri", b"X-Forwarded-For"):
        hop = _sender("debate", (b"Connection: close, " + name,), "li")
        yield Try(GROUP, f"hop by hop: {name.decode()}, towards debate", "li", hop, frozenset({401, 403}))

    def key_as_header(world: World, header: bytes) -> Exchange:
        return world.send(world.ask(studio("podcast"), header + world.key("li").encode()))

    for header in (
        b"X-Api-Key: ",
        b"Api-Key: ",
        b"Proxy-Authorization: Bearer ",
        b"X-Authorization: Bearer ",
    ):

        def act(world: World, header: bytes = header) -> Exchange:
            return key_as_header(world, header)

        yield Try(GROUP, f"a key in {header.split(b':')[0].decode()}", "li's key", act, frozenset({401}))


def _sender(project: str, lines: tuple[bytes, ...], who: str | None = None) -> Callable[[World], Exchange]:
    def act(world: World) -> Exchange:
        keep = any(line.lower().startswith(b"connection:") for line in lines)
        return world.send(world.ask(studio(project), *lines, who=who, keep=keep))

    return act


def controls() -> Iterator[Control]:
    """The same headers from somebody who may: the studio believes the door, and nothing of these."""
    for name, lines in SPOOFS.items():
        act = _sender("podcast", lines, "li")
        yield Control(GROUP, f"{name}, from one who may", "podcast", "li", act, SPOOFED)
    for name, line in HOPS.items():
        act = _sender("podcast", (line,), "li")
        yield Control(GROUP, f"hop by hop: {name}, from one who may", "podcast", "li", act)

"""Who gave an answer, and whether a try was refused.

Suspicious by default: an answer is the gateway's or the door's only if it is one that they are known to give.
Whatever else comes, somebody behind them must have said it.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tests.box.break_ins.world import World
from tests.box.raw import Answer, Exchange

GATEWAY, DOOR, SOMEBODY = "the gateway", "the door", "somebody behind the gateway"
# Traefik's and Go's own words, by status.
_WORDS = {
    200: re.compile(rb"OK"),
    301: re.compile(rb"Moved Permanently"),
    302: re.compile(rb"Found"),
    400: re.compile(rb"(400 )?Bad Request(: [ -~]{0,200})?\n?|request header [ -~]{0,100} in HTTP/2\n"),
    401: re.compile(rb"401 Unauthorized\n?"),
    404: re.compile(rb"404 page not found\n"),
    405: re.compile(rb"(405 )?Method Not Allowed\n?"),
    431: re.compile(rb"431 Request Header Fields Too Large"),
    500: re.compile(rb"Internal Server Error"),
    501: re.compile(rb"Unsupported transfer encoding"),
    502: re.compile(rb"Bad Gateway"),
    505: re.compile(rb"505 HTTP Version Not Supported: [ -~]{0,100}"),
}
# An answer with nothing in it and nothing about it, as to OPTIONS *.
_BARE = {"content-length", "date", "connection"}
_NODE = re.compile(r"\bvv_([a-z0-9-]+)_node=")
# The door's words to programs; a studio has others.
_CODES = {
    *("invalid_api_key", "token_unverifiable", "project_forbidden", "project_not_found", "page_not_found"),
    *("rate_limit_exceeded", "too_many_failures", "door_error", "door_unavailable", "studio_unavailable"),
}


def source(answer: Answer, before: Answer | None = None) -> str:
    """Whose answer this is: a project's name, GATEWAY, DOOR or SOMEBODY.

    `before`: a "100 Continue" that came first; Traefik sometimes sets its cookie on that one alone.
    """
    content = answer.json()
    if isinstance(content.get("project"), str):
        return content["project"]
    # Set by the gateway on every answer of a studio to somebody who has no such cookie yet.
    cookies = [*answer.all("set-cookie"), *(before.all("set-cookie") if before else [])]
    if found := _NODE.search(" ".join(cookies)):
        return found[1]
    if any(name.startswith("x-auth-") for name, _ in answer.headers):
        return SOMEBODY
    if not answer.whole and answer.body:
        return SOMEBODY
    if _is_the_doors(answer, content):
        return DOOR
    if not answer.body and (answer.status >= 400 or _BARE.issuperset(name for name, _ in answer.headers)):
        return GATEWAY
    words = _WORDS.get(answer.status)
    return GATEWAY if words and words.fullmatch(answer.body) else SOMEBODY


def _is_the_doors(answer: Answer, content: dict) -> bool:
    if content:
        error = content.get("error")
        return set(content) == {"error"} and isinstance(error, dict) and error.get("code") in _CODES
    has_policy = answer.header("content-security-policy").startswith("default-src 'none'; style-src 'self'")
    if answer.status == 303 and not answer.body:
        return has_policy or urlsplit(answer.header("location")).path.startswith("/vibevoice/")
    return has_policy and b"/vibevoice/door/style.css" in answer.body


@dataclass(frozen=True)
class Try:
    """One attempt to get what one may not have.

    Args:
        group, name: what it is called.
        who: in whose name it is made: "nobody", "li" (may open podcast only), "bo" (debate only), …
        act: makes it, and returns all that came back.
        statuses: what its answers may be.
        may_show: projects whose content may come back, because an honest part of it asks for that.
        silence: whether no answer at all is an answer: the connection or the stream is closed instead.
        effect: what else must be so afterwards; raises AssertionError.
    """

    group: str
    name: str
    who: str
    act: Callable[[World], Exchange]
    statuses: frozenset[int]
    may_show: frozenset[str] = frozenset()
    silence: bool = False
    effect: Callable[[World, Exchange], None] | None = None

    def __str__(self) -> str:
        return f"{self.group}: {self.name}, as {self.who}"


@dataclass(frozen=True)
class Control:
    """An honest request of the same making, which must get a project's content: else no refusal counts."""

    group: str
    name: str
    project: str
    user: str
    act: Callable[[World], Exchange]
    spoofed: str = ""

    def __str__(self) -> str:
        return f"{self.group}: {self.name}"


def complaints(one: Try, exchange: Exchange) -> list[str]:
    """Why a try was not refused; empty if it was."""
    found = []
    final = [answer for answer in exchange.answers if answer.status >= 200]
    if not final and not one.silence:
        found.append(f"no answer, and not expected to be without: {exchange}")
    if not final and exchange.end == "quiet":
        found.append("the connection stayed open, without an answer")
    if exchange.rest:
        found.append(f"bytes that are no answer: {exchange.rest[:200]!r}")
    for before, answer in pairwise([None, *exchange.answers]):
        if answer is None or answer.status < 200:
            continue
        whose = source(answer, before if before and before.status < 200 else None)
        if whose not in {GATEWAY, DOOR, *one.may_show}:
            found.append(f"{whose} answered: {answer}")
        if answer.status not in one.statuses:
            found.append(f"{answer.status} instead of one of {sorted(one.statuses)}: {answer}")
    return found


def shortcomings(one: Control, exchange: Exchange, world: World) -> list[str]:
    """Why an honest request did not get what it should; empty if it did."""
    got = [answer for answer in exchange.answers if answer.status == 200 and source(answer) == one.project]
    if len(got) != 1 or len(exchange.answers) != 1:
        return [f"not one answer of {one.project}: {exchange}"]
    return beliefs(got[0], one, world) if world.echo else []


def beliefs(answer: Answer, one: Control, world: World) -> list[str]:
    """What an echoing studio took for true and should not have."""
    headers = [(name.lower(), value) for name, value in answer.json()["headers"]]
    found = []
    expected = {"x-auth-user": one.user, "x-auth-project": one.project}
    for name, value in expected.items():
        values = [got for key, got in headers if key == name]
        if values != [value]:
            found.append(f"the studio got {name} {values} instead of [{value!r}]")
    passes = [value for key, value in headers if key == "x-auth-limits"]
    if len(passes) != 1 or not is_pass(passes[0], one.project, one.user, world.pass_key):
        found.append(f"the studio got no good pass of the door: {passes}")
    for name, value in headers:
        plain = re.sub(r"[^a-z0-9]", "-", name)
        if plain.startswith("x-auth-") and name not in {*expected, "x-auth-limits"}:
            found.append(f"the studio got the alias {name}: {value}")
        if plain in ("authorization", "proxy-authorization"):
            found.append(f"the studio got {name}")
        if plain == "cookie" and "__host-vv" in value.lower():
            found.append("the studio got a cookie of the door")
        if one.spoofed and one.spoofed.lower() in value.lower():
            found.append(f"the studio got the spoofed {name}: {value}")
    return found


def is_pass(value: str, project: str, user: str, key: bytes) -> bool:
    """Whether X-Auth-Limits is the door's own word on this person in this project."""
    signed, _, signature = value.rpartition(".")
    version, _, payload = signed.partition(".")
    if version != "v1" or not payload or not signature:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(_decoded(signature), signed.encode())
        content = json.loads(_decoded(payload))
    except (InvalidSignature, ValueError):
        return False
    return (content["project"], content["user"]) == (project, user)


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

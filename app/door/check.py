"""The check: the proxy asks for each request whether it may pass. Most answers come from memory."""

import hashlib
import logging
import secrets
from typing import Any
from urllib.parse import quote

from . import answers
from .answers import Answer
from .config import Config, Project
from .cookies import split
from .credentials import Admitted, Asked, Credentials
from .desk import Desk
from .pages import HEADERS, forbidden_page
from .people import NotAdmitted, Slowed, Unavailable
from .rate import Rate
from .tokens import TokensUnavailable

log = logging.getLogger(__name__)

PATH = "/check/"
CACHED = 10_000
LONGEST_CACHED = 8 * 1024
USE_S = 60
# A tampered cookie must not grow the address that it is sent on to.
LONGEST_NEXT = 2000
LOGIN = "https://{domain}/vibevoice/login"


class _Pass:
    """A request that may pass, as often as it is the same, until `until` (Unix seconds)."""

    __slots__ = ("key", "project", "rate", "start", "until", "user")

    def __init__(
        self, start: dict[str, Any], until: float, rate: Rate, admitted: Admitted, project: str
    ) -> None:
        self.start, self.until, self.rate = start, until, rate
        self.key, self.user, self.project = admitted.key, admitted.person.name, project


class Check:
    """ASGI for /check/{project}, as Traefik's forwardAuth asks it. Whatever happens: only a 200 opens."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._credentials = Credentials(desk)
        self._seed = secrets.token_bytes(32)
        self._passes: dict[tuple[str, bytes, bytes | None], _Pass] = {}
        self._decided_by: tuple[Config | None, int] = (None, 0)
        self._rates: dict[str, Rate] = {}
        self._uses: dict[tuple[str, bytes], float] = {}
        self._told = 0.0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        start, body = await self._answer(scope)
        await send(start)
        await send(body)

    async def _answer(self, scope: Any) -> Answer:
        try:
            self._forget_if_changed()
        except Exception:
            self._complain("The door cannot read its own files")
            return answers.OUT_OF_ORDER
        try:
            return await self._judge(scope)
        except Exception:
            self._complain("The door could not judge a request")
            return answers.FAILED

    def _forget_if_changed(self) -> None:
        """A key revoked, a session closed, a user removed, by whatever process: no decision holds."""
        config, version = self._desk.snapshot()
        if self._decided_by[1] != version or self._decided_by[0] is not config:
            self._passes.clear()
            self._decided_by = (config, version)

    async def _judge(self, scope: Any) -> Answer:
        headers = scope["headers"]
        found = dict(headers)
        if len(found) < len(headers):
            found = _joined(headers)
        cookies, authorization = found.get(b"cookie", b""), found.get(b"authorization")
        # Under a digest: what is kept is worth nothing to whoever reads this memory.
        digest = (
            hashlib.blake2b(authorization, key=self._seed).digest() if authorization is not None else None
        )
        ticket = (scope["path"], cookies, digest)
        client = found.get(b"x-forwarded-for", b"").partition(b",")[0]
        known = self._passes.get(ticket)
        if known is not None and self._desk.clock() < known.until and scope["method"] == "GET":
            return self._let_pass(known, client)
        return await self._judge_anew(scope, found, ticket, client)

    async def _judge_anew(
        self, scope: Any, headers: dict[bytes, bytes], ticket: tuple[str, bytes, bytes | None], client: bytes
    ) -> Answer:
        if scope["method"] not in ("GET", "HEAD"):
            return answers.ONLY_GET
        project = self._desk.config.project(scope["path"].removeprefix(PATH))
        if project is None:
            return answers.NO_SUCH_PROJECT
        asked = Asked(
            project=project,
            method=headers.get(b"x-forwarded-method") or scope["method"].encode(),
            uri=headers.get(b"x-forwarded-uri", b""),
            address=client.strip().decode("latin-1")[:100] or "unknown",
            cookies=split(ticket[1]),
            cookie_header=ticket[1],
            authorization=headers.get(b"authorization"),
        )
        page = asked.authorization is None and _wants_page(asked.method, headers.get(b"accept", b""))
        try:
            admitted = await self._credentials.judge(asked)
        except NotAdmitted as refused:
            self._refused(asked, refused.reason, refused.person, refused.key)
            return self._to_login(asked) if page else _unauthenticated(asked)
        except Slowed as slowed:
            return answers.too_many_failures(slowed.retry_after_s)
        except TokensUnavailable:
            self._refused(asked, "token_unverifiable")
            return answers.UNVERIFIABLE
        if admitted is None:
            return self._to_login(asked) if page else answers.NOT_LOGGED_IN
        if admitted.holds is not None:
            # What was read before may be void; from here on nothing is waited for. Never for others: a change
            # between their reading and this would void passes of before, and keep theirs.
            self._forget_if_changed()
            if not admitted.holds():
                self._refused(asked, "changed_meanwhile", admitted.person.name)
                return answers.WRONG_CREDENTIALS
        current = self._desk.config.project(project.name)
        if current is None or not self._may_enter(admitted, current):
            self._refused(asked, "not_in_project", admitted.person.name, admitted.key)
            return self._forbidden(asked, headers) if page else answers.NOT_IN_PROJECT
        return self._admit(admitted, current, asked, ticket, client)

    def _may_enter(self, admitted: Admitted, project: Project) -> bool:
        if admitted.project is not None and admitted.project != project.name:
            return False
        return admitted.via == "probe" or self._desk.may_enter(admitted.person, project)

    def _admit(
        self, admitted: Admitted, project: Project, asked: Asked, ticket: tuple, client: bytes
    ) -> Answer:
        user, now = admitted.person.name, self._desk.clock()
        limits, fresh_until = self._desk.signing.limits.of(project, user, now)
        headers = [
            (b"x-auth-user", _header(user)),
            (b"x-auth-project", project.name.encode()),
            (b"x-auth-limits", limits),
        ]
        if asked.cookies.rest:
            headers.append((b"cookie", asked.cookies.rest))
        rate = self._rates.setdefault(project.name, Rate())
        rate.allow(project.limits.requests_per_s)
        passing = _Pass(
            answers.answer(200, headers)[0], min(admitted.until, fresh_until), rate, admitted, project.name
        )
        if admitted.via == "probe":
            return passing.start, answers.EMPTY
        # Whoever may enter must not fill the memory with cookies all the same.
        if len(asked.cookie_header) <= LONGEST_CACHED:
            if len(self._passes) >= CACHED:
                self._passes.clear()
            self._passes[ticket] = passing
        return self._let_pass(passing, client)

    def _let_pass(self, passing: _Pass, client: bytes) -> Answer:
        """The hot path ends here."""
        now = self._desk.clock()
        wait_s = passing.rate.take(now)
        if wait_s > 0:
            return answers.too_many_requests(wait_s)
        if passing.key is not None and now >= self._uses.get((passing.key, client), 0):
            self._note_use(passing, passing.key, client, now)
        return passing.start, answers.EMPTY

    def _note_use(self, passing: _Pass, key: str, client: bytes, now: float) -> None:
        """Once a minute for each key and address. Nobody is refused because it cannot be written."""
        if len(self._uses) >= CACHED:
            self._uses.clear()
        self._uses[key, client] = now + USE_S
        address = client.strip().decode("latin-1")[:100]
        self._desk.audit.note(
            "key_used", user=passing.user, project=passing.project, address=address, via="key", key=key
        )
        try:
            self._desk.attempts.used(key)
        except Unavailable:
            self._complain("When a key was used is not written down")

    def _refused(self, asked: Asked, reason: str, user: str | None = None, key: str | None = None) -> None:
        if reason == "wrong_password":
            return  # log_in wrote it down
        self._desk.audit.refused(
            asked.address, user=user, project=asked.project.name, reason=reason, key=key, path=asked.path
        )

    def _to_login(self, asked: Asked) -> Answer:
        # Absolute: the proxy would take a relative one as a path of ours.
        location = LOGIN.format(domain=self._desk.config.domain)
        if asked.uri and len(asked.uri) <= LONGEST_NEXT:
            location += f"?next={quote(asked.uri, safe='')}"
        return answers.redirect(location)

    def _forbidden(self, asked: Asked, headers: dict[bytes, bytes]) -> Answer:
        languages = headers.get(b"accept-language", b"").decode("latin-1")
        return answers.page(403, forbidden_page(self._desk, languages, asked.project.name), HEADERS)

    def _complain(self, words: str) -> None:
        """With what happened, but once a second: a log is no place for an attack either."""
        now = self._desk.clock()
        if abs(now - self._told) >= 1:
            self._told = now
            log.exception(words)


def _joined(headers: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Of headers that came twice the first, but all cookies; and two Authorizations make a bad one."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name == b"cookie" and name in found:
            found[name] += b"; " + value
        elif name == b"authorization" and name in found:
            found[name] = b"two of them"
        else:
            found.setdefault(name, value)
    return found


def _wants_page(method: bytes, accept: bytes) -> bool:
    return method in (b"GET", b"HEAD") and b"text/html" in accept.lower()


def _unauthenticated(asked: Asked) -> Answer:
    return answers.NOT_LOGGED_IN if asked.authorization is None else answers.WRONG_CREDENTIALS


def _header(user: str) -> bytes:
    """Plain ASCII as it is; else percent-encoded UTF-8, so that decoding always leads back to the name."""
    plain = user.isascii() and user.isprintable() and " " not in user and "%" not in user
    return user.encode() if plain else quote(user, safe="@:").encode()

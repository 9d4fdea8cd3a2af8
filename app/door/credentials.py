"""Whose request it is: by session, key, password, another issuer's token, or the deploy's probe."""

import asyncio
import base64
import binascii
import hashlib
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from .config import Project
from .cookies import SESSION, Cookies
from .desk import Desk
from .people import NotAdmitted, Person, Refused
from .signing import PROBE_PREFIX
from .tokens import TokenRefused, Tokens

BASIC_S = 60
BASIC_CACHED = 10_000
# Another issuer's keys may be withdrawn: its tokens are verified again this often.
TOKEN_S = 60
LONGEST_TOKEN = 16 * 1024
AUTHORIZATION = re.compile(rb"(bearer|basic) +([A-Za-z0-9._~+/=-]+)", re.IGNORECASE)
PROBER = Person("deploy")


@dataclass(frozen=True)
class Asked:
    """What a request says of itself.

    Args:
        project: the one it asks for.
        method: the client's own.
        uri: path and query, as the client sent them.
        address: the client's.
        cookies, cookie_header: taken apart, and whole.
        authorization: the header's value; None: there is none.
    """

    project: Project
    method: bytes
    uri: bytes
    address: str
    cookies: Cookies
    cookie_header: bytes
    authorization: bytes | None

    @property
    def path(self) -> str:
        """Without the query, for the audit log."""
        return self.uri.partition(b"?")[0].decode("latin-1")


@dataclass(frozen=True)
class Admitted:
    """Somebody with good credentials.

    Args:
        until: when to ask again at the latest (Unix seconds); 0: each time.
        key: the id of the API key, if it was one.
        project: the only one these credentials are for; None: any that the person may enter.
        holds: where it took time to verify them: whether what they were verified by is in force still.
    """

    person: Person
    via: str
    until: float
    key: str | None = None
    project: str | None = None
    holds: Callable[[], bool] | None = None


class Credentials:
    """Judges credentials; remembers for a minute those that cost much to verify."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._tokens = Tokens()
        self._seed = secrets.token_bytes(32)
        self._verified: dict[bytes, tuple[str, str, float]] = {}
        self._verifying: dict[tuple[bytes, str, bytes], asyncio.Task[tuple[str, str]]] = {}

    async def judge(self, asked: Asked) -> Admitted | None:
        """Who asks; None: somebody without credentials. A header Authorization is judged alone.

        Raises:
            NotAdmitted: the credentials are not good.
            Slowed, TokensUnavailable, Unavailable: nobody can say right now.
        """
        if asked.authorization is None:
            return self._by_session(asked)
        found = AUTHORIZATION.fullmatch(asked.authorization)
        if found is None or len(asked.authorization) > LONGEST_TOKEN:
            raise NotAdmitted("malformed_authorization")
        scheme, token = found[1].lower(), found[2].decode()
        if scheme == b"basic":
            return await self._by_password(asked, token)
        if token.startswith(PROBE_PREFIX):
            return self._by_probe(asked, token)
        if token.count(".") == 2 and not token.startswith("vv_"):
            return await self._by_token(token)
        key, person, until = self._desk.find_key(token)
        return Admitted(person, "key", until, key=key.id, project=key.project)

    def _by_session(self, asked: Asked) -> Admitted | None:
        cookie = asked.cookies.own.get(SESSION)
        if not cookie:
            return None
        session = self._desk.find_session(cookie)
        return Admitted(session.person, "session", session.expires)

    def _by_probe(self, asked: Asked, token: str) -> Admitted:
        """The deploy asks whether studios are well, and for nothing else."""
        health = rf"/vibevoice/{re.escape(asked.project.name)}/health/[A-Za-z0-9_-]+"
        if asked.method != b"GET" or not re.fullmatch(health.encode(), asked.uri):
            raise NotAdmitted("probe_elsewhere")
        project = self._desk.signing.probed(token)
        if project is None:
            raise NotAdmitted("expired_probe")
        return Admitted(PROBER, "probe", 0, project=project)

    async def _by_token(self, token: str) -> Admitted:
        config = self._desk.config
        try:
            person, expires = await self._tokens.verify(token, config)
        except TokenRefused as refused:
            raise NotAdmitted(f"token: {refused.reason}") from None
        until = min(expires, self._desk.clock() + TOKEN_S)
        return Admitted(person, "jwt", until, holds=lambda: self._desk.config is config)

    async def _by_password(self, asked: Asked, token: str) -> Admitted:
        """Hashed once, then known by a digest that is worth nothing outside this process."""
        desk, now = self._desk, self._desk.clock()
        digest = hashlib.blake2b(token.encode(), key=self._seed).digest()
        found = self._verified.get(digest)
        if found is None or not now < found[2] <= now + BASIC_S or desk.stamp(found[0]) != found[1]:
            name, stamp = await self._verify(asked, token, digest)
        else:
            name, stamp = found[:2]
        if len(self._verified) >= BASIC_CACHED:
            self._verified.clear()
        now = desk.clock()
        # Anew while it is in use: it is the stamp that ends it. Asked for again before it is forgotten.
        self._verified[digest] = name, stamp, now + BASIC_S
        return Admitted(Person(name), "basic", now + BASIC_S / 2, holds=lambda: desk.stamp(name) == stamp)

    async def _verify(self, asked: Asked, token: str, digest: bytes) -> tuple[str, str]:
        """Equal requests at the same time wait for one verification."""
        flight = (digest, asked.address, asked.cookie_header)
        task = self._verifying.get(flight)
        if task is None:
            task = self._verifying[flight] = asyncio.create_task(self._log_in(asked, token))
            task.add_done_callback(lambda _: self._verifying.pop(flight, None))
        # Whoever goes away does not take the others' answer along.
        return await asyncio.shield(task)

    async def _log_in(self, asked: Asked, token: str) -> tuple[str, str]:
        """Name and stamp of whoever has this name and password."""
        name, password = _name_and_password(token)
        stamp = self._desk.stamp(name)
        try:
            await self._desk.log_in(
                name, password, asked.address, asked.cookie_header.decode("latin-1"), via="basic"
            )
        except Refused:
            raise NotAdmitted("wrong_password") from None
        if stamp is None or self._desk.stamp(name) != stamp:
            raise NotAdmitted("changed_meanwhile", name)
        return name, stamp


def _name_and_password(token: str) -> tuple[str, str]:
    try:
        name, colon, password = base64.b64decode(token, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise NotAdmitted("malformed_authorization") from None
    if not colon:
        raise NotAdmitted("malformed_authorization")
    return name, password

"""The site that is tried, and the honest people of it: who they are is proved the ordinary way, once."""

from __future__ import annotations

import base64
import hashlib
import json
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from tests.box.break_ins.honest import FORM, KEYS, LOGIN, SESSION, Honest, compose
from tests.box.break_ins.tokens_made import Issuer
from tests.box.raw import Exchange, Place, Request, http1, http2

# Li may open podcast only, bo debate only.
PEOPLE = {"li": "podcast", "bo": "debate"}

# A program that the door's own Python runs: one statement, which must change one row.
SQL = """
import os, sqlite3, sys
with sqlite3.connect(os.path.join(os.environ["DOOR_DATA"], "door.db"), timeout=10) as db:
    assert db.execute(sys.argv[1]).rowcount == 1
"""


def studio(project: str) -> str:
    """The address at which a studio says whose it is."""
    return f"/vibevoice/{project}/health/ready"


@dataclass
class World:
    """What differs between a site on loopback and the lab.

    Args:
        place: where the gateway is.
        passwords: of li and bo.
        door: what `python -m door ARGUMENTS` prints on the gateway.
        sql: changes the door's database.
        echo: whether the studios answer with what they got; then ``pass_key`` is what the door signs with.
        issuer: whoever signs tokens that this site trusts; it need not trust any.
        sign_on: name of a sign-on provider; the site need not have any.
    """

    place: Place
    passwords: Mapping[str, str] = field(repr=False)
    door: Callable[..., str]
    sql: Callable[[str], None]
    echo: bool = False
    pass_key: bytes = b""
    issuer: Issuer | None = None
    sign_on: str | None = None

    @property
    def domain(self) -> bytes:
        return self.place.domain.encode()

    # --- what goes out ---

    def ask(
        self,
        target: bytes | str,
        *lines: bytes,
        who: str | None = None,
        method: bytes = b"GET",
        host: bytes | None = b"",
        version: bytes = b"HTTP/1.1",
        body: bytes | None = None,
        keep: bool = False,
    ) -> bytes:
        """The bytes of a request: ``who`` sends their session's cookie; host: the domain, None for none."""
        cookies = [b"Cookie: " + self.cookie(who)] if who else []
        named = self.domain if host == b"" else host
        return compose(
            target, *cookies, *lines, method=method, host=named, version=version, body=body, keep=keep
        )

    def send(self, sent: bytes, source: str | None = None) -> Exchange:
        return http1(self.place, sent, source=source)

    def send2(self, *requests: Request) -> Exchange:
        return http2(self.place, *requests)

    # --- who is who ---

    @cached_property
    def _visitors(self) -> dict[str, Honest]:
        return {name: self.fresh(name) for name in PEOPLE}

    def fresh(self, name: str) -> Honest:
        """A browser that somebody just logged in with."""
        return Honest(self.place).log_in(name, self.passwords[name])

    def visitor(self, name: str) -> Honest:
        """The browser of somebody, that stays logged in."""
        return self._visitors[name]

    def cookie(self, name: str) -> bytes:
        """Somebody's session, as a Cookie header."""
        return f"{SESSION}={self.session(name)}".encode()

    def session(self, name: str) -> str:
        return self.visitor(name).cookies[SESSION]

    @cached_property
    def _keys(self) -> dict[str, str]:
        return {name: self.visitor(name).make_key(project) for name, project in PEOPLE.items()}

    def key(self, name: str) -> str:
        """Somebody's API key, for their project."""
        return self._keys[name]

    def probe(self, project: str) -> str:
        """The deploy's key to a project's health; each lives for two minutes."""
        made, found = self._probes.get(project, (0.0, ""))
        if time.monotonic() - made > 60:
            found = self.door("probe", project).split()[1]
            self._probes[project] = time.monotonic(), found
        return found

    @cached_property
    def _probes(self) -> dict[str, tuple[float, str]]:
        return {}

    @cached_property
    def revoked_key(self) -> str:
        key = self.visitor("li").make_key("podcast")
        assert self.opens(b"Authorization: Bearer " + key.encode())
        self.visitor("li").revoke_key(key)
        return key

    @cached_property
    def ended_session(self) -> str:
        """Of somebody who logged out since."""
        visitor = self.fresh("li")
        cookie = visitor.cookies[SESSION]
        assert self.opens(f"Cookie: {SESSION}={cookie}".encode())
        visitor.log_out()
        return cookie

    @cached_property
    def expired_session(self) -> str:
        """Of somebody whose time is over."""
        cookie = self.fresh("li").cookies[SESSION]
        assert self.opens(f"Cookie: {SESSION}={cookie}".encode())
        row = hashlib.sha256(signed_content(cookie).encode()).hexdigest()
        self.sql(f"UPDATE sessions SET expires = 1 WHERE id_hash = x'{row}'")
        return cookie

    @cached_property
    def form_cookie(self) -> str:
        visitor = Honest(self.place)
        visitor.form(LOGIN)
        return visitor.cookies[FORM]

    def other_form(self, name: str) -> str:
        """A form's token of another session of somebody."""
        if name not in self._second:
            self._second[name] = self.fresh(name)
        return self._second[name].form(KEYS)

    @cached_property
    def _second(self) -> dict[str, Honest]:
        return {}

    def opens(self, *lines: bytes, project: str = "podcast") -> bool:
        """Whether these headers open a project right now."""
        (answer,) = self.send(self.ask(studio(project), *lines)).answers
        return answer.status == 200 and answer.json().get("project") == project


def signed_content(cookie: str) -> str:
    """What a cookie of the door says; anybody can read it, nobody else can sign it."""
    return json.loads(signed_bytes(cookie))


def signed_bytes(cookie: str) -> bytes:
    packed = cookie.startswith(".")
    content = base64.urlsafe_b64decode(cookie.lstrip(".").split(".")[0] + "==")
    return zlib.decompress(content) if packed else content

"""An honest browser without scripts: keeps the site's cookies, and sends forms as browsers send them."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from urllib.parse import urlencode

from tests.box.raw import Answer, Place, http1

LOGIN = "/vibevoice/login"
LOGOUT = "/vibevoice/logout"
KEYS = "/vibevoice/door/keys"
REVOKE = f"{KEYS}/revoke"
SESSION = "__Host-vv_session"
FORM = "__Host-vv_form"
PAGE = b"Accept: text/html,application/xhtml+xml"
_TOKEN = re.compile(rb'name="form" value="([^"]+)"')
_SECRET = re.compile(rb"vv_[A-Za-z0-9]{8}_[A-Za-z0-9_-]{43}")


def compose(
    target: bytes | str,
    *lines: bytes,
    method: bytes = b"GET",
    host: bytes | None,
    version: bytes = b"HTTP/1.1",
    body: bytes | None = None,
    keep: bool = False,
) -> bytes:
    """The bytes of a request. ``lines``: further header lines, as they are; ``keep``: the connection."""
    where = target.encode() if isinstance(target, str) else target
    head = [b"%s %s %s" % (method, where, version)]
    head += [b"Host: " + host] if host is not None else []
    head += lines
    head += [] if keep else [b"Connection: close"]
    head += [b"Content-Length: %d" % len(body)] if body is not None else []
    return b"\r\n".join(head) + b"\r\n\r\n" + (body or b"")


def form_body(fields: dict[str, str]) -> bytes:
    return urlencode(fields).encode()


@dataclass
class Honest:
    """A browser, and whoever sits before it."""

    place: Place
    cookies: dict[str, str] = field(default_factory=dict)

    @property
    def cookie(self) -> str:
        """What it sends as Cookie."""
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def get(self, path: str, *lines: bytes) -> Answer:
        """Open a page; no redirect is followed."""
        return self._send(compose(path, PAGE, *self._lines(), *lines, host=self.place.domain.encode()))

    def post(self, path: str, fields: dict[str, str], *lines: bytes) -> Answer:
        """Send a form of this site."""
        kind = b"Content-Type: application/x-www-form-urlencoded"
        sent = [PAGE, *self._lines(), b"Origin: https://" + self.place.domain.encode(), kind, *lines]
        host = self.place.domain.encode()
        return self._send(compose(path, *sent, method=b"POST", host=host, body=form_body(fields)))

    def form(self, path: str) -> str:
        """The token in a page's forms. AssertionError where there is none."""
        answer = self.get(path)
        token = form_token(answer)
        assert token, f"no form at {path}: {answer}"
        return token

    def log_in(self, name: str, password: str) -> Honest:
        """Through the login page; AssertionError, with the answer, where that fails."""
        fields = {"name": name, "password": password, "form": self.form(LOGIN)}
        answer = self.post(LOGIN, fields)
        assert answer.status == 303 and SESSION in self.cookies, f"{name} was not let in: {answer}"
        return self

    def log_out(self) -> None:
        answer = self.post(LOGOUT, {"form": self.form(LOGOUT)})
        assert answer.status == 303, f"not logged out: {answer}"

    def make_key(self, project: str) -> str:
        """A new API key."""
        fields = {"form": self.form(KEYS), "name": "break-in", "project": project, "days": "1"}
        answer = self.post(KEYS, fields)
        found = _SECRET.search(answer.body)
        assert answer.status == 200 and found, f"no key for {project}: {answer}"
        return found[0].decode()

    def revoke_key(self, key: str) -> None:
        answer = self.post(REVOKE, {"form": self.form(KEYS), "key": key.split("_")[1]})
        assert answer.status == 303 and "revoked" in answer.header("location"), f"not revoked: {answer}"

    def _lines(self) -> list[bytes]:
        return [b"Cookie: " + self.cookie.encode()] if self.cookies else []

    def _send(self, sent: bytes) -> Answer:
        exchange = http1(self.place, sent, patience_s=15)
        assert len(exchange.answers) == 1, f"not one answer: {exchange}"
        (answer,) = exchange.answers
        for header in answer.all("set-cookie"):
            name, _, value = header.partition(";")[0].partition("=")
            self.cookies[name] = value
            if not value:
                del self.cookies[name]
        return answer


def form_token(answer: Answer) -> str:
    """The token of a page's form, empty where it has none."""
    found = _TOKEN.search(answer.body)
    return html.unescape(found[1].decode()) if found else ""

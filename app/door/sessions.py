"""Logins that last: opened, found by their cookie, closed in all processes at once."""

import hashlib
import secrets
from typing import Literal

from itsdangerous import BadData

from .cookies import DEVICE, SESSION, clearing, setting, split
from .people import NotAdmitted, Person, Refused, Session
from .roster import Roster
from .store import StoredSession

HOUR_S = 3600
DEVICE_S = 180 * 86400


class Sessions(Roster):
    """The part of the desk that knows sessions."""

    def session(self, cookie_header: str) -> Session | None:
        """The session that a request's cookies prove, if they do."""
        try:
            return self.find_session(own_cookie(cookie_header, SESSION))
        except NotAdmitted:
            return None

    def find_session(self, cookie: str) -> Session:
        """The session of a cookie's value. Raises NotAdmitted, saying why."""
        try:
            id = self.signer("session").loads(cookie)
        except BadData:
            raise NotAdmitted("forged_session") from None
        found = self.store.session(_hash(id))
        if found is None or found.expires <= self.clock():
            raise NotAdmitted("ended_session")
        person = self.person(found.person)
        if person is None or found.stamp != self.stamp(found.person):
            raise NotAdmitted("ended_session", found.person)
        return Session(found.id_hash, person, found.created, found.expires, found.via)

    def open_session(self, person: Person, via: Literal["password", "sso"]) -> list[str]:
        """Log somebody in who proved to be `person`. Returns the Set-Cookie values to answer with."""
        stamp, now = self.stamp(person.name), self.clock()
        if stamp is None:
            raise Refused(f"{person.name!r} is not of this site")
        lasts_s = HOUR_S * (self.config.sign_on_hours if via == "sso" else self.config.session_hours)
        id = secrets.token_urlsafe(32)
        self.store.add_session(StoredSession(_hash(id), person.name, stamp, via, now, now + lasts_s))
        cookies = [setting(SESSION, _text(self.signer("session").dumps(id)), lasts_s)]
        if via == "password":
            device = self.signer("device").dumps([person.name, secrets.token_urlsafe(12)])
            cookies.append(setting(DEVICE, _text(device), DEVICE_S))
        return cookies

    def close_session(self, session: Session) -> str:
        """Log out, in all processes. Returns the Set-Cookie value to answer with."""
        self.store.drop_session(session.id_hash)
        return clearing(SESSION)

    def device(self, name: str, cookie_header: str) -> str | None:
        """Which browser sent these cookies, if `name` logged in there in the last 180 days."""
        try:
            whose, id = self.signer("device").loads(own_cookie(cookie_header, DEVICE), max_age=DEVICE_S)
        except (BadData, ValueError, TypeError):
            return None
        return id if whose == name else None


def own_cookie(header: str, name: str) -> str:
    """The value of one of the door's cookies; empty where there is none, or two."""
    return split(header.encode("latin-1", "replace")).own.get(name, "")


def _hash(id: str) -> bytes:
    return hashlib.sha256(id.encode()).digest()


def _text(signed: str | bytes) -> str:
    return signed if isinstance(signed, str) else signed.decode()

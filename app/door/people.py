"""Who enters: persons, their sessions and keys, and what they are told when they may not."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Person:
    """Somebody, or a program, with a name.

    Args:
        name: an inventory user's, or qualified by a provider: "corp:ana@example.com".
        groups: qualified: "corp:podcast-team". Inventory users have none.
        provider: whose word says so: a sign-on provider's or an issuer's name; None: an inventory user.
    """

    name: str
    groups: frozenset[str] = frozenset()
    provider: str | None = None


@dataclass(frozen=True)
class Session:
    """A login that lasts. Times in Unix seconds; via "password" or "sso"; id_hash is no secret."""

    id_hash: bytes
    person: Person
    created: float
    expires: float
    via: str


@dataclass(frozen=True)
class Key:
    """An API key as its owner sees it; the key itself is nowhere. Times in Unix seconds."""

    id: str
    project: str
    name: str
    created: float
    expires: float
    last_used: float | None


class Refused(Exception):
    """Name or password are wrong; which of them, nobody is told."""


class Slowed(Exception):
    """Too many failures lately: ask again in `retry_after_s` seconds."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(f"too many failed logins, again in {retry_after_s:.0f} s")
        self.retry_after_s = retry_after_s


class KeyRefused(Exception):
    """No such key can be made. `reason`: "project", "name", "days" or "many"; the message is a sentence."""

    def __init__(self, reason: str, words: str) -> None:
        super().__init__(words)
        self.reason = reason


class WeakPassword(Exception):
    """No such password can be set. `reason`: "short", "long", "text", "name" or "elsewhere" (it is the
    deploy's to set); the message is a sentence."""

    def __init__(self, reason: str, words: str) -> None:
        super().__init__(words)
        self.reason = reason


class NotInvitable(Exception):
    """Nobody of this name can be invited; the message says why, and what to do."""


class Unavailable(Exception):
    """Something that must be written cannot be: what needs it is refused, and the message says why."""


class NotAdmitted(Exception):
    """Credentials that prove nothing. `reason`, `person` and `key` (its id) are for the audit log alone."""

    def __init__(self, reason: str, person: str | None = None, key: str | None = None) -> None:
        super().__init__(reason)
        self.reason, self.person, self.key = reason, person, key

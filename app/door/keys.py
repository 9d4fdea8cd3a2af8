"""API keys: one person's, for one project, shown once."""

import hashlib
import math
import re
import secrets

from .config import Project
from .people import Key, KeyRefused, NotAdmitted, Person
from .roster import Roster
from .store import StoredKey

DAY_S = 86400
KEYS_EACH = 100
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
SHAPE = re.compile(r"vv_([A-Za-z0-9]{8})_[A-Za-z0-9_-]{43}")


class Keys(Roster):
    """The part of the desk that knows keys."""

    def keys_of(self, person: Person) -> list[Key]:
        """Those that are good, oldest first."""
        now, stamp = self.clock(), self.stamp(person.name)
        return [
            Key(key.id, key.project, key.name, key.created, key.expires, self.attempts.last_use(key.id))
            for key in self.store.keys_of(person.name)
            if key.expires > now and key.stamp == stamp
        ]

    def create_key(self, person: Person, project: Project, name: str, days: float) -> str:
        """A new key, which is shown once and kept nowhere.

        Args:
            project: the one that it opens.
            name: 1 to 100 characters, for its owner.
            days: until it expires; at most the site's key_days.

        Raises:
            KeyRefused: not this one; its reason is "project", "name", "days" or "many".
        """
        stamp, now = self.stamp(person.name), self.clock()
        if stamp is None or not self.may_enter(person, project):
            raise KeyRefused("project", f"{person.name!r} may not enter {project.name!r}.")
        name, most = name.strip(), self.config.key_days
        if not 1 <= len(name) <= 100 or not name.isprintable():
            raise KeyRefused("name", "A key's name has 1 to 100 visible characters.")
        if not math.isfinite(days) or not 0 < days <= most:
            raise KeyRefused("days", f"A key lasts for more than 0 and at most {most:g} days.")
        if len(self.store.keys_of(person.name)) >= KEYS_EACH:
            raise KeyRefused("many", f"Nobody needs more than {KEYS_EACH} keys. Revoke one first.")
        id = "".join(secrets.choice(LETTERS) for _ in range(8))
        key = f"vv_{id}_{secrets.token_urlsafe(32)}"
        expires = now + days * DAY_S
        self.store.add_key(StoredKey(id, _hash(key), person.name, project.name, name, stamp, now, expires))
        return key

    def revoke_key(self, person: Person, key_id: str) -> bool:
        """Whether that person had such a key; from now on nobody has, in all processes."""
        return self.store.drop_key(person.name, key_id)

    def find_key(self, key: str) -> tuple[StoredKey, Person, float]:
        """A key, its owner, and until when both are good (Unix seconds). Raises NotAdmitted, saying why."""
        shape = SHAPE.fullmatch(key)
        found = self.store.key(shape[1]) if shape else None
        # Compared in any case: how long it takes tells nothing about which keys there are.
        if not secrets.compare_digest(found.hash if found else bytes(32), _hash(key)) or found is None:
            raise NotAdmitted("unknown_key")
        if found.expires <= self.clock():
            raise NotAdmitted("expired_key", found.person, found.id)
        person = self.person(found.person)
        if person is None or found.stamp != self.stamp(found.person):
            raise NotAdmitted("ended_key", found.person, found.id)
        return found, person, min(found.expires, self._trusted_until(person))

    def _trusted_until(self, person: Person) -> float:
        """Whoever leaves a provider's house just stops signing on: their keys end some time after."""
        if person.provider is None:
            return math.inf
        seen = self.store.signed_on(person.name)
        until = (seen[1] if seen else 0) + self.config.sign_on_trust_days * DAY_S
        if until <= self.clock():
            raise NotAdmitted("signed_on_too_long_ago", person.name)
        return until


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="replace")).digest()

"""Who is who, and who may enter what, by the configuration in force now."""

import hashlib
import logging
import time
from collections.abc import Callable
from pathlib import Path

from itsdangerous import URLSafeTimedSerializer

from .attempts import Attempts
from .audit import Audit
from .config import Config, Project
from .config_file import ConfigFile
from .people import Person, Unavailable
from .signing import Signing
from .store import Store

log = logging.getLogger(__name__)

# The stamp of people who sign on: their provider keeps their passwords.
SSO = "sso"


class Roster:
    """The configuration and the folder `data`, and what they say of people. See Desk, which adds the rest."""

    def __init__(self, config_path: Path, data: Path, clock: Callable[[], float] = time.time) -> None:
        self._file = ConfigFile(config_path)
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        if data.stat().st_mode & 0o077:
            data.chmod(0o700)
        self.clock = clock
        self.signing = Signing(data, clock)
        self.forms = self.signing.forms
        self.audit = Audit(data / "audit", clock)
        self.attempts = Attempts(data / "attempts.db", clock)
        self.store = Store(data / "door.db")
        self._apply()

    def signer(self, salt: str) -> URLSafeTimedSerializer:
        """Signs and dates what is meant for the purpose `salt` alone."""
        return self.signing.signer(salt)

    # --- the configuration ---

    @property
    def config(self) -> Config:
        """The current one: a change of the file is in force at once, one that does not parse never."""
        if self._file.follow():
            self.note_config()
            self._apply()
        return self._file.config

    def snapshot(self) -> tuple[Config, int]:
        """What decisions are made of. Another one than before: whatever was decided is void."""
        return self.config, self.store.version

    def note_config(self) -> None:
        """Write down which configuration this process goes by."""
        digest = self._file.config.digest
        log.info("Configuration %s is in force", digest)
        self.audit.note("config_loaded", reason=digest)

    def _apply(self) -> None:
        try:
            self.forget_strangers()
        except Unavailable as error:
            log.error("What left the configuration is not deleted yet: %s", error)

    def forget_strangers(self) -> None:
        """Delete the sessions, keys and passwords of whoever left the configuration, or lost a project.

        Also done every minute: a disk that was full at the change must not keep anything for ever. Raises
        Unavailable.
        """
        config = self._file.config

        def may_hold(name: str, project: str) -> bool:
            # A sign-on person's groups change with every sign-on: each use of a key asks for them anew.
            found = config.project(project)
            return found is not None and (":" in name or name in found.users)

        self.store.forget_strangers(
            self.stamp, lambda name: name in config.users and config.users[name] is None, may_hold
        )

    # --- people ---

    def person(self, name: str) -> Person | None:
        """An inventory user, or somebody who signed on by a provider that is still configured."""
        if ":" not in name:
            return Person(name) if name in self.config.users else None
        found = self.store.signed_on(name)
        return found[0] if found and self._signs_on(found[0].provider) else None

    def may_enter(self, person: Person, project: Project) -> bool:
        """By the configuration in force now, whatever the one was that `project` is of."""
        current = self.config.project(project.name)
        if current is None:
            return False
        if person.provider is None:
            return person.name in current.users and person.name in self.config.users
        if person.provider not in self.config.providers:
            return False
        # Nobody's word counts but their own provider's.
        groups = {group for group in person.groups if group.startswith(f"{person.provider}:")}
        return not current.groups.isdisjoint(groups | {f"{person.provider}:*"})

    def projects_of(self, person: Person) -> list[Project]:
        """In the configuration's order."""
        return [project for project in self.config.projects if self.may_enter(person, project)]

    def remember(self, person: Person) -> None:
        """Somebody signed on just now, with these groups."""
        if not self._signs_on(person.provider) or not person.name.startswith(f"{person.provider}:"):
            raise ValueError(f"{person.name!r} is not of a sign-on provider")
        self.store.remember(person, self.clock())

    def _signs_on(self, provider: str | None) -> bool:
        return any(provider == known.name for known in self.config.sign_on)

    def _password(self, name: str) -> str | None:
        """The hash in force of an inventory user's password."""
        if name not in self.config.users:
            return None
        return self.config.users[name] or self.store.password(name)

    def stamp(self, name: str) -> str | None:
        """Short for the credential in force; what was made under another one is void. None for strangers."""
        provider, colon, _ = name.partition(":")
        if colon:
            return SSO if self._signs_on(provider) else None
        if name not in self.config.users:
            return None
        return hashlib.sha256((self._password(name) or "").encode()).hexdigest()[:16]

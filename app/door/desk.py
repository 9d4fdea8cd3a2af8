"""The desk: everything the door knows and does, for its pages and its check."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from .keys import Keys
from .logins import Logins
from .passwords import Turns


class Desk(Keys, Logins):
    """One for each process; all of them see the same, for it is kept in `data`.

    Methods that write raise Unavailable where they cannot. Nothing here waits for long but `log_in`, and
    `set_password`, which hashes for some 25 ms and may be called in a thread.

    Args:
        config_path: the site's configuration, followed while it changes.
        data: the folder of databases, keys and the audit log; made if it is missing.
        clock: Unix seconds.

    Raises:
        ConfigError, OSError, ValueError, Unavailable, sqlite3.Error: cannot start on these.
    """

    def __init__(self, config_path: Path, data: Path, clock: Callable[[], float] = time.time) -> None:
        super().__init__(config_path, data, clock)
        self._turns = Turns()

    def end(self, name: str) -> tuple[int, int]:
        """End all sessions and keys of a person. Returns how many there were of each."""
        return self.store.end(name)

    def everybody(self) -> list[dict[str, Any]]:
        """Everybody who is known, for operators: whose word it is, what they have, when they came."""
        counts, arrivals = self.store.counts(), self.attempts.last_arrivals()
        signed_on = self.store.everybody_signed_on()
        return [
            {
                "name": name,
                "password": self._password_place(name),
                "projects": [project.name for project in self.projects_of(person)],
                "sessions": counts.get(name, (0, 0))[0],
                "keys": counts.get(name, (0, 0))[1],
                "last_login": _moment(signed_on.get(name) or arrivals.get(name)),
            }
            for name in (*self.config.users, *sorted(signed_on))
            if (person := self.person(name))
        ]

    def _password_place(self, name: str) -> Literal["inventory", "invitation", "provider"] | None:
        if ":" in name:
            return "provider"
        if self.config.users[name] is not None:
            return "inventory"
        return "invitation" if self.store.password(name) else None

    def tidy(self) -> None:
        """What has to be done now and then, about once a minute. Raises Unavailable."""
        self.audit.sum_up()
        self.forget_strangers()
        self.store.forget_expired(self.clock())
        self.attempts.forget_old(self.config.key_days)
        self.audit.forget_old(self.config.audit_days)

    def close(self) -> None:
        self._turns.close()
        self.store.close()
        self.attempts.close()


def _moment(time: float | None) -> str | None:
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="seconds") if time else None

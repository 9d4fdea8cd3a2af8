"""The desk: everything the door knows and does, for its pages and its check."""

import time
from collections.abc import Callable
from pathlib import Path

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

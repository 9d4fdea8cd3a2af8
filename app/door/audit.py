"""Who did what: one JSON line each, in a file a day that both processes append to."""

import json
import logging
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from .addresses import counted
from .people import Unavailable

log = logging.getLogger(__name__)

EVENTS = frozenset(
    (
        *("login", "login_failed", "login_slowed", "logout", "sso_login", "sso_failed"),
        *("key_created", "key_revoked", "key_used", "refused"),
        *("invite_used", "password_changed", "config_loaded"),
    )
)
FIELDS = frozenset(("user", "project", "address", "via", "reason", "key", "path", "count"))
LONGEST_TEXT = 100
MINUTE_S = 60
# Lines a minute about the refused requests of one address; the rest is counted.
REFUSALS = 60
ADDRESSES = 10_000


class Audit:
    """The audit log in `folder`. A line is one write to a file opened for appending: processes do not mix."""

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        self._folder, self._clock = folder, clock
        folder.mkdir(mode=0o700, exist_ok=True)
        # A line that a full disk cut short; the next must not be glued to it.
        self._torn = False
        self._refusals: dict[str, _Minute] = {}
        self._told = 0.0

    def write(self, event: str, **fields: Any) -> None:
        """One line, at once.

        Args:
            event: one of EVENTS.
            fields: of FIELDS; those that are None are left out. Texts are cut to 100 characters, and a path
                loses its query. Never secrets.

        Raises:
            Unavailable: it could not be written; what had to be recorded must not happen then.
        """
        if event not in EVENTS or not FIELDS.issuperset(fields):
            raise ValueError(f"the audit log knows no {event} with {', '.join(fields)}")
        now = datetime.fromtimestamp(self._clock(), UTC)
        line = {"time": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"), "event": event}
        line |= {name: _short(name, value) for name, value in fields.items() if value is not None}
        self._append(now, json.dumps(line, ensure_ascii=False).encode(errors="replace") + b"\n")

    def note(self, event: str, **fields: Any) -> None:
        """As `write`, for what goes on without it: the process log complains instead, once a minute."""
        try:
            self.write(event, **fields)
        except Unavailable as error:
            self._complain(error)

    def refused(self, address: str, **fields: Any) -> None:
        """Credentials were refused: 60 lines a minute for each address, then one that counts the rest."""
        now = self._clock()
        place = counted(address)
        minute = self._refusals.get(place)
        if minute is None or now - minute.began >= MINUTE_S:
            self._sum_up(place)
            if len(self._refusals) >= ADDRESSES:
                self.sum_up(everything=True)
            minute = self._refusals[place] = _Minute(now)
        minute.lines += 1
        if minute.lines <= REFUSALS:
            self.note("refused", address=address, **fields)

    def sum_up(self, everything: bool = False) -> None:
        """Write the counts of minutes that are over, or of all."""
        now = self._clock()
        for place, minute in list(self._refusals.items()):
            if everything or now - minute.began >= MINUTE_S:
                self._sum_up(place)

    def _sum_up(self, place: str) -> None:
        minute = self._refusals.pop(place, None)
        if minute and minute.lines > REFUSALS:
            self.note("refused", address=place, reason="more_of_the_same", count=minute.lines - REFUSALS)

    def forget_old(self, days: float) -> None:
        """Delete the files of days longer ago than `days`."""
        oldest = (datetime.fromtimestamp(self._clock(), UTC) - timedelta(days=days)).date().isoformat()
        for file in self._folder.glob("????-??-??.jsonl"):
            if file.stem < oldest:
                file.unlink(missing_ok=True)

    def _append(self, now: datetime, line: bytes) -> None:
        path = self._folder / f"{now.date().isoformat()}.jsonl"
        line = b"\n" + line if self._torn else line
        try:
            # Opened each time: whoever moves the file away finds nothing missing.
            handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                written = os.write(handle, line)
            finally:
                os.close(handle)
        except OSError as error:
            raise Unavailable(f"{path} cannot be written: {error.strerror}. Is its disk full?") from error
        self._torn = written < len(line)
        if self._torn:
            raise Unavailable(f"{path} took only a part of a line. Is its disk full?")

    def _complain(self, error: Unavailable) -> None:
        now = self._clock()
        if abs(now - self._told) >= MINUTE_S:
            self._told = now
            log.error("The audit log misses lines: %s", error)


class _Minute:
    """What one address was refused since `began` (Unix seconds)."""

    __slots__ = ("began", "lines")

    def __init__(self, began: float) -> None:
        self.began, self.lines = began, 0


def _short(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if name == "path":
        value = value.partition("?")[0]
    return value[:LONGEST_TEXT]

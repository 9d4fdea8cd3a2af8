"""What all studios of a project count together, in its folder: open streams and seconds of speech."""

import logging
import math
import os
import random
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TypeVar

from .lock_file import open_lock, try_lock

Answer = TypeVar("Answer")
log = logging.getLogger(__name__)
# Others write for milliseconds; the engine's thread has better to do than to wait for a sick disk.
BUSY_S = 1.0
# A stream may end at any moment.
RETRY_S = 2


class LimitReached(Exception):
    """The project has used up what it may; the message is for its people."""

    code: str

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class TooManyStreams(LimitReached):
    code = "too_many_streams"


class MinutesUsed(LimitReached):
    code = "daily_minutes_used"


class Streams:
    """Streams open at once, exactly: each holds the lock on one file of a pool.

    A process that dies takes its locks along. The files stay, for a lock on a deleted file is worth nothing.
    After a limit was lowered, streams in the slots above it run out besides. For the event loop's thread.
    """

    def __init__(self, folder: Path) -> None:
        """In `folder` together with others; in this process alone while it cannot be used."""
        self._folder = folder
        self._alone = 0
        self._broken = False

    @contextmanager
    def hold(self, limit: int) -> Iterator[None]:
        """Count one stream until the block ends. Raises TooManyStreams."""
        try:
            slot = self._lock(limit)
            self._broken = False
        except OSError as error:
            if not self._broken:
                log.error("Streams are counted in this process alone: %s", error)
            self._broken, slot = True, None
        if slot is None:
            if self._alone >= limit:
                raise _too_many(limit)
            self._alone += 1
        try:
            yield
        finally:
            if slot is None:
                self._alone -= 1
            else:
                os.close(slot)

    def _lock(self, limit: int) -> int:
        self._folder.mkdir(exist_ok=True)
        # All beginning at slot 0 would try the taken ones first, each time.
        first = random.randrange(limit) if limit else 0
        for step in range(limit):
            slot = open_lock(self._folder / f"{(first + step) % limit:04}.lock")
            try:
                if try_lock(slot):
                    return slot
            except BaseException:
                os.close(slot)
                raise
            os.close(slot)
        raise _too_many(limit)


def _too_many(limit: int) -> TooManyStreams:
    return TooManyStreams(
        f"The project has its {limit} streams open already. Close one, or wait until one ends.", RETRY_S
    )


class Usage:
    """Seconds of speech made on each day (UTC), in an SQLite file with one row a day. For any thread.

    A disk that fails keeps nobody from speaking: what could not be written waits in memory for the next time.
    """

    def __init__(self, path: Path, now: Callable[[], float]) -> None:
        """In the file `path` together with others. Opens nothing yet."""
        self._path, self._now = path, now
        self._lock = threading.Lock()
        self._unwritten: dict[str, float] = {}
        self._opened: sqlite3.Connection | None = None
        self._broken = False

    def add(self, seconds: float) -> None:
        """Count speech made just now. Never raises."""
        with self._lock:
            day = str(self._today())
            self._unwritten[day] = self._unwritten.get(day, 0.0) + seconds
            self._ask(self._write)

    def seconds(self) -> float:
        """Speech made today, in seconds; 0 while the file cannot be read."""
        with self._lock:
            day = str(self._today())
            written = self._ask(lambda file: _read(file, day))
            return 0.0 if written is None else written + self._unwritten.get(day, 0.0)

    def check(self, minutes: float) -> None:
        """Raises MinutesUsed if today's speech has reached so many minutes."""
        if self.seconds() < minutes * 60:
            return
        midnight = datetime.combine(self._today() + timedelta(days=1), time.min, UTC)
        raise MinutesUsed(
            f"The project's {minutes:,g} minutes of speech for today are used up. "
            "There will be new ones at midnight UTC.",
            max(1, math.ceil(midnight.timestamp() - self._now())),
        )

    def _today(self) -> date:
        return datetime.fromtimestamp(self._now(), UTC).date()

    def _write(self, file: sqlite3.Connection) -> None:
        for day, seconds in tuple(self._unwritten.items()):
            file.execute(_ADD, (day, seconds))
            del self._unwritten[day]

    def _ask(self, question: Callable[[sqlite3.Connection], Answer]) -> Answer | None:
        """The file's answer; None after an error, which is logged once. The next question opens it anew."""
        try:
            if self._opened is None:
                self._opened = _open(self._path)
            answer = question(self._opened)
        except sqlite3.Error as error:
            if not self._broken:
                log.error(
                    "%s: %s; minutes are not counted there until it works again; everybody may go on",
                    self._path,
                    error,
                )
            self._broken = True
            if self._opened is not None:
                self._opened.close()
            self._opened = None
            return None
        self._broken = False
        return answer


_TABLE = "CREATE TABLE IF NOT EXISTS speech (day TEXT PRIMARY KEY, seconds REAL NOT NULL)"
_ADD = (
    "INSERT INTO speech (day, seconds) VALUES (?, ?) "
    "ON CONFLICT (day) DO UPDATE SET seconds = seconds + excluded.seconds"
)


def _open(path: Path) -> sqlite3.Connection:
    file = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    # Readers and writers of other containers do not wait for each other, and a write waits for no disk.
    file.execute("PRAGMA journal_mode = WAL")
    file.execute("PRAGMA synchronous = NORMAL")
    file.execute(_TABLE)
    return file


def _read(file: sqlite3.Connection, day: str) -> float:
    row = file.execute("SELECT seconds FROM speech WHERE day = ?", (day,)).fetchone()
    return row[0] if row else 0.0

"""An SQLite file that the processes of several containers share."""

import errno
import fcntl
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from ..lock_file import open_lock
from .errors import StoreError

# Others hold the lock for one commit; a disk that needs longer for those before us is sick.
BUSY_S = 5.0
# The log is folded into the file every 4 MB; one that readers held up for long is cut to this afterwards.
LOG_PAGES = 1000
LOG_BYTES = 16 * 2**20
# Below this, whatever SQLite says of its trouble, it is the disk that is full: it cannot even grow its index
# of the log, of which it tells as of an I/O error.
FULL_BYTES = 2**16

Steps = tuple[tuple[str, ...], ...]


class Database:
    """For any thread: each has a connection of its own, opened when it first asks.

    Transactions of a thread nest: what is done inside of one commits with it.
    """

    def __init__(self, path: Path, steps: Steps, synchronous: Literal["FULL", "NORMAL"]) -> None:
        """`steps` lead from nothing to today's tables, each from one version to the next.

        FULL: what is committed survives a power cut; NORMAL: it survives a crash. Raises StoreError.
        """
        self._path, self._synchronous = path, synchronous
        self._thread = _Thread()
        with self.errors():
            # Two that switch the journal's mode at once would not wait for each other.
            lock = open_lock(path.with_suffix(".lock"))
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                with self.writing(steps):
                    pass
            finally:
                os.close(lock)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One look at the whole; later commits are not in it. Raises StoreError."""
        with self._within("BEGIN") as connection:
            yield connection

    @contextmanager
    def writing(self, steps: Steps = ()) -> Iterator[sqlite3.Connection]:
        """A transaction, after all others' that write: what it reads is what it changes.

        `steps` are made first, so far as they have not been. Raises StoreError; then it has not happened.
        """
        with self._within("BEGIN IMMEDIATE") as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone() if steps else (0,)
            for number, step in enumerate(steps[version:], version + 1):
                for statement in step:
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {number}")
            yield connection

    def afterwards(self, action: Callable[[], None]) -> None:
        """Do this once the thread's transaction is committed; not at all if it is not."""
        self._thread.afterwards.append(action)

    @contextmanager
    def _within(self, begin: str) -> Iterator[sqlite3.Connection]:
        thread = self._thread
        if thread.writing or (thread.inside and begin == "BEGIN"):
            assert thread.connection
            yield thread.connection
            return
        assert not thread.inside, "to write, begin by writing"
        with self.errors():
            thread.connection = connection = thread.connection or self.connect()
            try:
                connection.execute(begin)
                thread.inside, thread.writing = True, begin != "BEGIN"
                yield connection
                connection.execute("COMMIT")
            except BaseException as error:
                self._undo(connection, isinstance(error, sqlite3.Error))
                raise
            finally:
                thread.inside = thread.writing = False
                actions, thread.afterwards = thread.afterwards, []
        for action in actions:
            action()

    def _undo(self, connection: sqlite3.Connection, failed: bool) -> None:
        self._thread.afterwards = []
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.Error:
            failed = True
        if failed:
            # Whatever is wrong with it, the next question gets a new one.
            self._thread.connection = None
            connection.close()

    def connect(self) -> sqlite3.Connection:
        """A connection for whoever closes it. Raises sqlite3.Error."""
        connection = sqlite3.connect(
            self._path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
        )
        try:
            for pragma in (
                "journal_mode = WAL",
                f"synchronous = {self._synchronous}",
                "foreign_keys = ON",
                f"wal_autocheckpoint = {LOG_PAGES}",
                f"journal_size_limit = {LOG_BYTES}",
            ):
                connection.execute(f"PRAGMA {pragma}")
        except BaseException:
            connection.close()
            raise
        connection.row_factory = sqlite3.Row
        connection.create_function("casefold", 1, str.casefold, deterministic=True)
        return connection

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Failures of SQLite and of the disk are StoreErrors."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"{self._path}: {error}", full=self._full(error)) from error

    def _full(self, error: sqlite3.Error | OSError) -> bool:
        if isinstance(error, OSError):
            return error.errno in (errno.ENOSPC, errno.EDQUOT)
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            return True
        if not isinstance(error, sqlite3.OperationalError):
            return False
        try:
            disk = os.statvfs(self._path.parent)
        except OSError:
            return False
        return disk.f_bavail * disk.f_frsize < FULL_BYTES


class _Thread(threading.local):
    """What a thread has of a database."""

    def __init__(self) -> None:
        self.connection: sqlite3.Connection | None = None
        self.inside = False
        self.writing = False
        self.afterwards: list[Callable[[], None]] = []

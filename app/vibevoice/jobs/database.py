"""An SQLite file that the processes of several containers share."""

import errno
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from ..lock_file import open_lock, try_lock, unlock
from .errors import StoreError

# Others hold the lock for a commit; a disk that needs longer for those before us is sick.
BUSY_S = 5.0
# The log is folded into the file once it is as long.
LOG_BYTES = 4 * 2**20
# Below this, whatever SQLite says of its trouble, it is the disk that is full: it cannot even grow its index
# of the log, of which it tells as of an I/O error.
FULL_BYTES = 2**16

Steps = tuple[tuple[str, ...], ...]


class Database:
    """For any thread: each has a connection of its own, opened when it first asks.

    Transactions of a thread nest: what is done inside of one commits with it.

    Who writes holds the kernel's lock on a file beside the database, and folds the log into it there, too. In
    SQLite before 3.51.3 a fold beside another's commit can lose what was committed (sqlite.org/wal.html,
    "WAL-reset bug"), and whoever waits for SQLite's own lock sleeps ever longer while others take it.
    """

    def __init__(self, path: Path, steps: Steps, synchronous: Literal["FULL", "NORMAL"]) -> None:
        """`steps` lead from nothing to today's tables, each from one version to the next.

        FULL: what is committed survives a power cut; NORMAL: it survives a crash. Raises StoreError.
        """
        self._path, self._synchronous = path.absolute(), synchronous
        self._log = self._path.with_name(f"{path.name}-wal")
        self._thread = _Thread()
        self._turn = threading.Lock()
        with disk_errors(self._path):
            self._lock = open_lock(path.with_suffix(".lock"))
            weakref.finalize(self, os.close, self._lock)
            with self._locked():
                # Here alone: a file that is deleted later is not to come back empty.
                self.connect("rwc").close()
        with self.writing() as db:
            (version,) = db.execute("PRAGMA user_version").fetchone()
            for number, step in enumerate(steps[version:], version + 1):
                for statement in step:
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {number}")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One look at the whole; later commits are not in it. Raises StoreError."""
        thread = self._thread
        if thread.inside:
            yield thread.connection()
            return
        with disk_errors(self._path), self._transaction("BEGIN") as db:
            yield db

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction after all others' that write: what it reads is what it changes.

        Raises StoreError; then nothing of it has happened.
        """
        thread = self._thread
        if thread.writing:
            yield thread.connection()
            return
        assert not thread.inside, "to write, begin by writing"
        with disk_errors(self._path), self._locked():
            try:
                thread.writing = True
                with self._transaction("BEGIN IMMEDIATE") as db:
                    yield db
            except BaseException:
                thread.afterwards.clear()
                raise
            finally:
                thread.writing = False
            self._fold()
        while thread.afterwards:
            thread.afterwards.pop(0)()

    def afterwards(self, action: Callable[[], None]) -> None:
        """Do this once the thread's transaction is committed; not at all if it is not."""
        self._thread.afterwards.append(action)

    def connect(self, mode: Literal["rw", "rwc"] = "rw") -> sqlite3.Connection:
        """A connection, for any one thread at a time. Raises sqlite3.Error."""
        db = sqlite3.connect(
            f"{self._path.as_uri()}?mode={mode}",
            uri=True,
            timeout=BUSY_S,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            for pragma in (
                "journal_mode = WAL",
                f"synchronous = {self._synchronous}",
                "foreign_keys = ON",
                "wal_autocheckpoint = 0",
            ):
                db.execute(f"PRAGMA {pragma}")
        except BaseException:
            db.close()
            raise
        db.row_factory = sqlite3.Row
        db.create_function("casefold", 1, str.casefold, deterministic=True)
        return db

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Nobody else writes."""
        end = time.monotonic() + BUSY_S
        if not self._turn.acquire(timeout=BUSY_S):
            raise sqlite3.OperationalError("another thread does not let go of it")
        try:
            while not try_lock(self._lock):
                if time.monotonic() > end:
                    raise sqlite3.OperationalError("another process does not let go of it")
                time.sleep(0.001)
            try:
                yield
            finally:
                unlock(self._lock)
        finally:
            self._turn.release()

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        thread = self._thread
        there = os.stat(self._path)
        if thread.opened is None or (there.st_dev, there.st_ino) != thread.file:
            thread.close()
            thread.opened, thread.file = self.connect(), (there.st_dev, there.st_ino)
        db = thread.opened
        try:
            db.execute(begin)
            thread.inside = True
            yield db
            db.execute("COMMIT")
        except BaseException as error:
            failed = isinstance(error, sqlite3.Error)
            try:
                if db.in_transaction:
                    db.execute("ROLLBACK")
            except sqlite3.Error:
                failed = True
            if failed:
                # Whatever is wrong with it, the next question gets a new one.
                thread.close()
            raise
        finally:
            thread.inside = False

    def _fold(self) -> None:
        """Empty the log into the file if it has grown long. Who is reading it puts that off; nobody waits."""
        db = self._thread.connection()
        try:
            if self._log.stat().st_size < LOG_BYTES:
                return
            db.execute("PRAGMA busy_timeout = 0")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            db.execute(f"PRAGMA busy_timeout = {BUSY_S * 1000:.0f}")
        except (sqlite3.Error, OSError):
            # What was committed is in the log, on the disk; the next one tries again, on a new connection.
            self._thread.close()


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """What SQLite or the disk says of this file is a StoreError."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"{path}: {error}", full=_full(error, path)) from error


def _full(error: sqlite3.Error | OSError, path: Path) -> bool:
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
        return True
    if not isinstance(error, sqlite3.OperationalError):
        return False
    try:
        disk = os.statvfs(path.parent)
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize < FULL_BYTES


class _Thread(threading.local):
    """What a thread has of a database."""

    def __init__(self) -> None:
        self.opened: sqlite3.Connection | None = None
        self.file: tuple[int, int] | None = None
        self.inside = False
        self.writing = False
        self.afterwards: list[Callable[[], None]] = []

    def connection(self) -> sqlite3.Connection:
        """The one of the transaction that this thread is in."""
        assert self.opened
        return self.opened

    def close(self) -> None:
        if self.opened is not None:
            self.opened.close()
        self.opened = None

"""An SQLite file that the processes of several containers share."""

import errno
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
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
# With the device and the number of its file.
_Connection = tuple[sqlite3.Connection, tuple[int, int]]


class Database:
    """For any thread: each has a connection of its own while it asks, and leaves it to the next.

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
        self._free: list[_Connection] = []
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
        if thread.db:
            yield thread.db
            return
        with disk_errors(self._path), self._transaction("BEGIN") as db:
            yield db

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction after all others' that write: what it reads is what it changes.

        Raises StoreError; then nothing of it has happened.
        """
        thread = self._thread
        if thread.db:
            assert thread.writing, "to write, begin by writing"
            if not thread.db.in_transaction:
                # After some errors SQLite rolls back by itself; from there on each statement would be kept.
                raise sqlite3.OperationalError("the transaction has failed")
            yield thread.db
            return
        with disk_errors(self._path), self._locked():
            try:
                thread.writing = True
                with self._transaction("BEGIN IMMEDIATE") as db:
                    yield db
                self._fold()
            except BaseException:
                thread.afterwards.clear()
                raise
            finally:
                thread.writing = False
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
        with self._borrowed() as db:
            try:
                db.execute(begin)
                thread.db = db
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
            finally:
                thread.db = None

    @contextmanager
    def _borrowed(self) -> Iterator[sqlite3.Connection]:
        """A connection to the file that has the name now. After an error of SQLite's it is none any more."""
        there = os.stat(self._path)
        while self._free:
            db, file = self._free.pop()
            if file == (there.st_dev, there.st_ino):
                break
            db.close()
        else:
            db, file = self.connect(), (there.st_dev, there.st_ino)
        try:
            yield db
        except sqlite3.Error:
            db.close()
            raise
        except BaseException:
            self._free.append((db, file))
            raise
        self._free.append((db, file))

    def _fold(self) -> None:
        """Empty the log into the file if it has grown long. Who is reading it puts that off; nobody waits."""
        # What was committed is in the log, on the disk: if this fails, the next one tries again.
        with suppress(sqlite3.Error, OSError):
            if self._log.stat().st_size < LOG_BYTES:
                return
            with self._borrowed() as db:
                db.execute("PRAGMA busy_timeout = 0")
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                db.execute(f"PRAGMA busy_timeout = {BUSY_S * 1000:.0f}")


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """What SQLite or the disk says of this file is a StoreError."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"{path}: {error}", full=_full(error, path)) from error


def sync(folder: Path) -> None:
    """The names in this folder survive a power cut, as a synced file alone need not. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
    """What a thread is at."""

    def __init__(self) -> None:
        self.db: sqlite3.Connection | None = None
        """Of the transaction that it is in."""
        self.writing = False
        self.afterwards: list[Callable[[], None]] = []

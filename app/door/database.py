"""SQLite files that two processes share: opened, given their tables once, written in short transactions."""

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from .people import Unavailable

BUSY_S = 5


class Database:
    """One file: a connection that reads, and one that writes, under a lock; usable from several threads.

    Args:
        path: the file; its folder exists.
        schema: one script for each version of the tables, to be run in order; they only add.
        synchronous: "FULL" for what must survive a power cut, "OFF" for what may be lost.

    Raises sqlite3.Error where the file cannot be used.
    """

    def __init__(self, path: Path, schema: tuple[str, ...], synchronous: Literal["FULL", "OFF"]) -> None:
        self.path = path
        self._reading, self._writing = threading.Lock(), threading.Lock()
        # Changing to the write-ahead log waits for nobody; so whoever opens first is alone for a moment.
        with alone(path.parent):
            # Its other files get the permissions of the first.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._writer = self._connect(synchronous)
            self._migrate(schema)
            self._reader = self._connect(synchronous)

    def _connect(self, synchronous: str) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.execute("PRAGMA foreign_keys = ON")
        return connection

    def _migrate(self, schema: tuple[str, ...]) -> None:
        (version,) = self._writer.execute("PRAGMA user_version").fetchone()
        if version > len(schema):
            # The one before an upgrade still runs beside it, or was put back: newer tables only have more.
            return
        for number, script in enumerate(schema[version:], version + 1):
            self._writer.executescript(f"BEGIN IMMEDIATE; {script}; PRAGMA user_version = {number}; COMMIT;")

    @property
    def version(self) -> int:
        """Another number whenever anything was committed since, by whatever process."""
        return self.read("PRAGMA data_version")[0][0]

    def read(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        """All rows at once: a statement left open would hold on to the past for those that come after it."""
        with self._reading:
            return self._reader.execute(query, values).fetchall()

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction, alone among all processes; committed at the end, undone by any exception.

        Raises Unavailable where nothing can be written.
        """
        with self._writing:
            try:
                self._writer.execute("BEGIN IMMEDIATE")
                try:
                    yield self._writer
                    self._writer.execute("COMMIT")
                except BaseException:
                    # A full disk may have ended the transaction already.
                    if self._writer.in_transaction:
                        self._writer.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise Unavailable(f"{self.path} cannot be written: {error}. Is its disk full?") from error

    def close(self) -> None:
        self._reader.close()
        self._writer.close()


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One process at a time, among those that start on the same folder."""
    with open(os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield

"""Whether the store has changed, by whichever process of whichever container."""

import asyncio
import logging
import sqlite3
import threading
import time

from .store import Store

# SQLite tells cheaply that a file has changed, but not by itself.
LOOK_S = 0.2
log = logging.getLogger(__name__)


class Watch:
    """One for a process. Looks only while somebody waits."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._version: int | None = None
        self._looked = 0.0
        self._broken = False
        self._seen = 0
        self._waiting: dict[asyncio.Future[None], asyncio.AbstractEventLoop] = {}

    @property
    def seen(self) -> int:
        """Counts changes."""
        return self._seen

    def poke(self) -> None:
        """Something has changed: whoever waits looks now. From any thread."""
        with self._lock:
            self._changed()

    async def wait(self, seen: int, timeout: float) -> int:
        """The count once it differs from `seen`, or after `timeout` seconds. For any event loop."""
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout
        while True:
            future = loop.create_future()
            with self._lock:
                self._look()
                left = end - loop.time()
                if self._seen != seen or left <= 0:
                    return self._seen
                self._waiting[future] = loop
            try:
                await asyncio.wait([future], timeout=min(LOOK_S, left))
            finally:
                with self._lock:
                    self._waiting.pop(future, None)

    def _look(self) -> None:
        now = time.monotonic()
        if now - self._looked < LOOK_S / 2:
            return
        self._looked = now
        try:
            if self._connection is None:
                self._connection = self._store.file.connect()
            (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        except sqlite3.Error as error:
            if not self._broken:
                log.error("The job store cannot be watched: %s", error)
            self._broken = True
            if self._connection is not None:
                self._connection.close()
            self._connection = self._version = None
            return
        self._broken = False
        if version != self._version:
            self._version = version
            self._changed()

    def _changed(self) -> None:
        self._seen += 1
        for future, loop in self._waiting.items():
            try:
                loop.call_soon_threadsafe(_wake, future)
            except RuntimeError:  # that loop has ended, and who waited there with it
                continue
        self._waiting.clear()


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)

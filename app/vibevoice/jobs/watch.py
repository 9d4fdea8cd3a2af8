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
    """One for a process. Its thread looks only while somebody waits; a sick disk holds up no event loop."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._looking = False
        self._connection: sqlite3.Connection | None = None
        self._version: int | None = None
        self._broken = False
        self._seen = 0
        self._waiting: dict[asyncio.Future[None], asyncio.AbstractEventLoop] = {}

    @property
    def seen(self) -> int:
        """Counts changes: read it before the store, and wait for another one."""
        return self._seen

    def poke(self) -> None:
        """Something has changed: whoever waits looks now. From any thread."""
        with self._lock:
            self._seen += 1
            for future, loop in self._waiting.items():
                try:
                    loop.call_soon_threadsafe(_wake, future)
                except RuntimeError:  # that loop has ended, and who waited there with it
                    continue
            self._waiting.clear()

    async def wait(self, seen: int, timeout: float) -> int:
        """The count once it differs from `seen`, or after `timeout` seconds, a sick store or not.

        For any event loop.
        """
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        with self._lock:
            if self._seen != seen:
                return self._seen
            self._waiting[future] = loop
            if not self._looking:
                self._looking = True
                threading.Thread(target=self._look, name="store-watch", daemon=True).start()
        try:
            await asyncio.wait([future], timeout=timeout)
        finally:
            with self._lock:
                self._waiting.pop(future, None)
        return self._seen

    def _look(self) -> None:
        while True:
            if self._changed():
                self.poke()
            time.sleep(LOOK_S)
            with self._lock:
                self._looking = bool(self._waiting)
                if not self._looking:
                    return

    def _changed(self) -> bool:
        """Whether somebody has written since the last look; after an error, nobody knows."""
        try:
            self._connection = self._connection or self._store.file.connect()
            (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        except sqlite3.Error as error:
            if not self._broken:
                log.error("The job store cannot be watched: %s", error)
            if self._connection is not None:
                self._connection.close()
            self._broken, self._connection, self._version = True, None, None
            return False
        changed = version != self._version
        self._broken, self._version = False, version
        return changed


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)

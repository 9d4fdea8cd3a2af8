"""What a studio does for its store besides speaking: looks whether it is there, and throws old jobs away."""

import asyncio
import logging
import random
import time
from collections.abc import Callable

from .jobs.store import Store, StoreError
from .jobs.watch import Watch
from .settings import Settings

log = logging.getLogger(__name__)
# Whoever asks for the status is told of changes within LEAST_S; a store without news is asked after LOOK_S.
LEAST_S, LOOK_S = 0.1, 5.0
FIRST_S, SWEEP_S = 10.0, 300.0
DAY_S = 86400.0


class Upkeep:
    """Two tasks of the event loop, which ask the disk in threads; either runs until it is cancelled."""

    def __init__(self, store: Store, watch: Watch, settings: Settings, changed: Callable[[], None]) -> None:
        """`changed` is called in the event loop when what is known of the store has changed."""
        self._store, self._watch, self._settings, self._tell = store, watch, settings, changed
        self.broken_since: float | None = None
        """When the store was gone or could not be read (monotonic); None while it can be. A full one can."""
        self.running = self.waiting = 0
        """Jobs of the whole project, as of the last look."""
        self._inode = _inode(store)
        self.used_bytes = 0
        """What jobs take of the disk, as of the last sweep."""

    async def look(self) -> None:
        """Follow the store."""
        while True:
            seen = self._watch.seen
            before = self.broken_since, self.running, self.waiting
            await asyncio.to_thread(self._look)
            if before != (self.broken_since, self.running, self.waiting):
                self._tell()
            await asyncio.sleep(LEAST_S)
            await self._watch.wait(seen, LOOK_S)

    async def sweep(self) -> None:
        """Throw away what is too old or too much, every few minutes; the studios of a project not at once."""
        pause = FIRST_S
        while True:
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            await asyncio.to_thread(self._sweep)
            pause = SWEEP_S

    def _look(self) -> None:
        store, before = self._store, self.broken_since
        try:
            # An open file outlives its name, but whoever comes next would not find what is written there.
            if _inode(store) != self._inode:
                raise StoreError(f"{store.folder} has another jobs.db than when this studio was started")
            self.running, self.waiting = store.running(), store.waiting()
            self.broken_since = None
        except (StoreError, OSError) as error:
            if getattr(error, "full", False):
                return
            self.broken_since = before or time.monotonic()
            if not before:
                log.error("The job store fails, so no jobs are taken: %s", error)
        if before and not self.broken_since:
            log.info("The job store is back")

    def _sweep(self) -> None:
        settings = self._settings
        try:
            gone = self._store.sweep(
                older_than_s=settings.job_days * DAY_S,
                most_bytes=settings.disk,
                reserve=settings.disk_reserve,
            )
            self.used_bytes = self._store.usage()
        except (StoreError, OSError) as error:
            log.error("Old jobs were not deleted: %s", error)
            return
        for job in gone:
            log.info("Deleted for its age or for space", extra={"job": job})


def _inode(store: Store) -> int:
    return (store.folder / "jobs.db").stat().st_ino

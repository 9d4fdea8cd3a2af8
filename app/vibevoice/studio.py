"""One studio: its store, its runner and engine, and whether it takes jobs. What the API and the page know."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Literal

from .counters import Streams, Usage
from .door import Allowance
from .engine import Engine, Event, Generation, Patience, Setup, Stream
from .jobs.desk import Desk, Visitor
from .jobs.store import Store
from .jobs.watch import Watch
from .script import ScriptError, parse
from .settings import Settings
from .upkeep import Upkeep

State = Literal["ready", "draining", "failed"]
POLL_S = 0.05
# A runner looks about every second; one that has not for so long will not again.
STUCK_S = 60.0


class Studio:
    """Shared by all requests of one process; lives in the event loop's thread."""

    def __init__(self, settings: Settings, engine: Engine, now: Callable[[], float] = time.time) -> None:
        """`now` is the clock for days and for how long the door's passes hold, in Unix seconds.

        Raises StoreError if the project's folder cannot be used, ScriptError for the disclaimer's faults.
        """
        self.settings, self.engine, self.now = settings, engine, now
        self.store = Store(settings.data_dir)
        self.watch = Watch(self.store)
        self.desk = Desk(settings, self.store, self._poke)
        self._streams = Streams(settings.data_dir / "streams")
        self._usage = Usage(settings.data_dir / "usage.db", now)
        self._upkeep = Upkeep(self.store, self.watch, settings, self._changed)
        self.stopped = asyncio.Event()
        engine.listen(self._count)
        self._draining = self._closed = False
        self._answering = 0
        self._watchers: set[asyncio.Event] = set()
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    def from_settings(cls, settings: Settings, now: Callable[[], float] = time.time) -> "Studio":
        """A studio whose engine has yet to be started."""
        setup = Setup(
            model_dir=settings.model_dir,
            device=settings.device,
            slot=settings.slot,
            lock_dir=settings.lock_dir,
            streams=settings.streams,
            steps=settings.steps,
            solver=settings.solver,
            kv_bytes=settings.kv_memory,
        )
        patience = Patience(stall_s=settings.stall_s)
        # The store has the queue: the engine is given no more than it speaks at once.
        return cls(settings, Engine(setup, max_waiting=settings.max_waiting, patience=patience), now)

    @property
    def state(self) -> State:
        """Ready is the only state in which a proxy should send anybody here.

        So it is from the start, while the model loads, waits for the GPU or sleeps: jobs are taken then, and
        wait, or are spoken by another studio of the project.
        """
        if self.engine.state == "failed" or self._upkeep.broken_since:
            return "failed"
        return "draining" if self._draining else "ready"

    @property
    def lost(self) -> str:
        """Why this process cannot go on, and another should be started; empty while it can."""
        if self.engine.state == "failed":
            return f"the engine failed: {self.engine.reason}"
        now = time.monotonic()
        if now - (self._upkeep.broken_since or now) > STUCK_S:
            return "the job store is gone"
        return ""

    @property
    def takes_speech(self) -> bool:
        """Whether there is time to answer a request for speech: no more once the proxies have been told."""
        return not self._closed

    def status(self) -> dict[str, str | int]:
        """What there is to know from outside. `running` and `waiting` are the whole project's."""
        settings = self.settings
        return {
            "state": self.state,
            "project": settings.project,
            "slot": settings.slot,
            "model": settings.model_name,
            "engine": self.engine.state,
            "running": self.engine.running,
            "waiting": self.engine.waiting,
            "paused": "",
        }

    def submit(self, script: str, *, seed: int | None = None) -> Stream:
        """Queue a script. Raises ScriptError for the text's faults, EngineError for the rest."""
        limit = self.settings.max_input_chars
        if len(script) > limit:
            raise ScriptError(f"The script has {len(script):,} characters; at most {limit:,} are taken.")
        return self.engine.submit(Generation(parse(script).turns, seed=seed))

    def visitor(self, allowance: Allowance | None) -> Visitor:
        """Who asks, by the pass that the door signed; without a door everybody is nobody, and sees all."""
        user = allowance.user if allowance else ""
        return Visitor(user, sees_all=allowance is None or self.settings.shared, allowance=allowance)

    def hold_stream(self, allowance: Allowance | None) -> AbstractContextManager[None]:
        """Count one of the project's streams until the block ends. Entering raises TooManyStreams."""
        return nullcontext() if allowance is None else self._streams.hold(allowance.streams)

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Whoever waits for speech within this block is given time when the studio stops."""
        self._answering += 1
        try:
            yield
        finally:
            self._answering -= 1

    async def check_minutes(self, allowance: Allowance | None) -> None:
        """Raises MinutesUsed if the project may have no more speech today. What runs already is finished."""
        if allowance is not None and allowance.minutes_per_day is not None:
            await asyncio.to_thread(self._usage.check, allowance.minutes_per_day)

    async def minutes_today(self) -> float:
        """Minutes of speech that the project has made today (UTC)."""
        return await asyncio.to_thread(self._usage.seconds) / 60

    async def changes(self, patience: float) -> AsyncIterator[bool]:
        """True after each change of the status, False after `patience` seconds without; ends at the stop."""
        changed = asyncio.Event()
        self._watchers.add(changed)
        try:
            while not self.stopped.is_set():
                try:
                    await asyncio.wait_for(changed.wait(), patience)
                except TimeoutError:
                    yield False
                else:
                    changed.clear()
                    yield True
        finally:
            self._watchers.discard(changed)

    def start(self) -> None:
        """Load the model and take jobs. Called in the event loop, which hears of the engine from now on."""
        loop = asyncio.get_running_loop()

        def tell(_: object) -> None:
            # After the loop's end there is nobody left to tell.
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._changed)

        self.engine.listen(tell)
        self.engine.start()
        self._tasks = [asyncio.create_task(work) for work in (self._upkeep.look(), self._upkeep.sweep())]

    async def drain(self) -> None:
        """Say 'not ready', take all until the proxies have noticed, hand the jobs over, end the answers."""
        self._draining = True
        self._changed()
        if not self.lost:
            await asyncio.sleep(self.settings.drain_s)
        self._closed = True
        end = time.monotonic() + self.settings.stop_grace_s
        while not self.engine.idle and time.monotonic() < end:
            await asyncio.sleep(POLL_S)
        # The last bytes, and speech that another studio of the project is at.
        while self._answering and time.monotonic() < end:
            await asyncio.sleep(POLL_S)
        self.stopped.set()
        self._changed()
        self.engine.close()
        self.engine.cancel_all()
        for task in self._tasks:
            task.cancel()

    def _poke(self) -> None:
        self.watch.poke()

    def _count(self, event: Event) -> None:
        if event.kind == "finished" and event.speech is not None:
            self._usage.add(event.speech.duration)

    def _changed(self) -> None:
        for watcher in self._watchers:
            watcher.set()

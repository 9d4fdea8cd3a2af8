"""One studio: its store, its runner and engine, and whether it takes jobs. What the API and the page know."""

import asyncio
import logging
import secrets
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Literal

from .counters import Streams, Usage
from .door import Allowance
from .engine import Engine, Patience, Setup
from .jobs.desk import Desk, Visitor
from .jobs.model import Job
from .jobs.runner import Runner, RunnerEvent
from .jobs.store import Store
from .jobs.watch import Watch
from .settings import Settings
from .upkeep import Upkeep

State = Literal["ready", "draining", "failed"]
log = logging.getLogger(__name__)
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
        self.name = f"{settings.project}-{settings.slot}-{secrets.token_hex(6)}"
        self.runner = Runner(
            self.store,
            engine,
            name=self.name,
            slot=settings.slot,
            lease_s=settings.lease_s,
            idle_s=settings.idle_s or float("inf"),
            reserve=settings.disk_reserve,
            spoken=self._spoken,
            watch=self.watch,
        )
        self.runner.listen(_write_down)
        self.desk = Desk(settings, self.store, self._poke)
        self._streams = Streams(settings.data_dir / "streams")
        self._usage = Usage(settings.data_dir / "usage.db", now)
        self.upkeep = Upkeep(self.store, self.watch, settings, self._changed)
        self.leaving, self.stopped = asyncio.Event(), asyncio.Event()
        """Set once its jobs are others' (event streams end), and once it gives no sound any more, either."""
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
            dtype=settings.dtype,
            kv_bytes=settings.kv_memory,
        )
        patience = Patience(stall_s=settings.stall_s)
        # The store has the queue. The engine is given as much as it speaks at once; what has been let go of
        # may hold its place for another frame.
        return cls(settings, Engine(setup, max_waiting=settings.streams, patience=patience), now)

    @property
    def state(self) -> State:
        """Ready is the only state in which a proxy should send anybody here.

        So it is from the start, while the model loads, waits for the GPU or sleeps: jobs are taken then, and
        wait, or are spoken by another studio of the project.
        """
        if self.engine.state == "failed" or self.upkeep.broken_since:
            return "failed"
        return "draining" if self._draining else "ready"

    @property
    def lost(self) -> str:
        """Why this process cannot go on, and another should be started; empty while it can."""
        if self.engine.state == "failed":
            return f"the engine failed: {self.engine.reason}"
        now = time.monotonic()
        if now - (self.upkeep.broken_since or now) > STUCK_S:
            return "the job store is gone"
        if self.leaving.is_set():
            # The runner has ended, as it should.
            return ""
        silent = now - self.runner.ticked
        return f"the runner has stood still for {silent:.0f} s" if silent > STUCK_S else ""

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
            "running": self.upkeep.running,
            "waiting": self.upkeep.waiting,
            "paused": self.runner.paused,
        }

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
            while not self.leaving.is_set():
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
        self.runner.listen(tell)
        self.engine.start()
        self.runner.start()
        self._tasks = [asyncio.create_task(work) for work in (self.upkeep.look(), self.upkeep.sweep())]

    def lend(self) -> None:
        """Let another studio have the GPU; jobs are taken as before. For any thread."""
        if not self._draining:
            self.runner.lend()

    async def drain(self) -> None:
        """Say 'not ready', take all until the proxies have noticed, hand the jobs over, end the answers.

        Whoever waits for speech that another studio is at gets more time where that one has taken this one's
        place: all there is left to do here is to pass it on.
        """
        settings = self.settings
        self._draining = True
        self._changed()
        if not self.lost:
            await asyncio.sleep(settings.drain_s)
        self._closed = True
        begin = time.monotonic()
        grace_s = max(settings.stop_grace_s, settings.exchange_grace_s if self.runner.lent else 0)
        await _aside(lambda: self.runner.drain(settings.stop_grace_s))
        self.leaving.set()
        self._changed()
        self.watch.poke()
        # Nothing is spoken here any more, and the GPU is not to fall to one that is about to go.
        self.engine.close()
        while self._answering and time.monotonic() < begin + grace_s:
            await asyncio.sleep(POLL_S)
        self.stopped.set()
        for task in self._tasks:
            task.cancel()

    def _poke(self) -> None:
        self.runner.poke()
        self.watch.poke()

    def _spoken(self, job: Job, seconds: float) -> None:
        self._usage.add(seconds)

    def _changed(self) -> None:
        for watcher in self._watchers:
            watcher.set()


def _write_down(event: RunnerEvent) -> None:
    """A job's beginning and end, in the log."""
    job = event.job
    who = {"job": job.id, "user": job.user or None}
    if event.kind == "claimed":
        log.info("Speaking", extra={**who, "seconds": round(event.seconds, 3)})
    elif event.kind == "ended":
        fields = {"state": job.state, "reason": job.error_type or None, "audio_s": round(job.audio_s, 3)}
        log.info("Ended", extra={**who, **fields, "seconds": round(event.seconds, 3)})


async def _aside(action: Callable[[], None]) -> None:
    """Wait for what is done in a thread of its own: a pool's would keep the process from ending at once."""
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def run() -> None:
        try:
            action()
        except Exception:
            log.exception("The jobs were not handed over; their leases run out by themselves")
        if not loop.is_closed():
            loop.call_soon_threadsafe(done.set)

    threading.Thread(target=run, name="drain", daemon=True).start()
    await done.wait()

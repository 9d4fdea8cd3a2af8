"""One studio: its settings, its engine, and whether it takes scripts. What the API and the page know."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Literal

from .counters import Streams, Usage
from .door import Allowance
from .engine import TAKES, Engine, Event, Generation, Patience, Setup, Stream
from .script import ScriptError, parse
from .settings import Settings

State = Literal["loading", "ready", "draining", "failed"]
POLL_S = 0.1


class Studio:
    """Shared by all requests of one process; lives in the event loop's thread."""

    def __init__(self, settings: Settings, engine: Engine, now: Callable[[], float] = time.time) -> None:
        """`now` is the clock for days and for how long the door's passes hold, in Unix seconds."""
        self.settings, self.engine, self.now = settings, engine, now
        self._streams = Streams(settings.data_dir / "streams")
        self._usage = Usage(settings.data_dir / "usage.db", now)
        engine.listen(self._count)
        self.stopped = asyncio.Event()
        self._draining = False
        self._watchers: set[asyncio.Event] = set()

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
        return cls(settings, Engine(setup, max_waiting=settings.max_waiting, patience=patience), now)

    @property
    def state(self) -> State:
        """Ready is the only state in which a proxy should send anybody here.

        So it is while the engine waits for the GPU or is started again: scripts are taken then, and wait.
        """
        if self.engine.state == "failed":
            return "failed"
        if self._draining:
            return "draining"
        return "ready" if self.engine.state in TAKES else "loading"

    def status(self) -> dict[str, str | int]:
        """What there is to know from outside."""
        settings = self.settings
        return {
            "state": self.state,
            "project": settings.project,
            "slot": settings.slot,
            "model": settings.model_name,
            "engine": self.engine.state,
            "running": self.engine.running,
            "waiting": self.engine.waiting,
        }

    def submit(self, script: str, *, seed: int | None = None) -> Stream:
        """Queue a script. Raises ScriptError for the text's faults, EngineError for the rest."""
        limit = self.settings.max_input_chars
        if len(script) > limit:
            raise ScriptError(f"The script has {len(script):,} characters; at most {limit:,} are taken.")
        return self.engine.submit(Generation(parse(script).turns, seed=seed))

    def hold_stream(self, allowance: Allowance | None) -> AbstractContextManager[None]:
        """Count one of the project's streams until the block ends. Entering raises TooManyStreams."""
        return nullcontext() if allowance is None else self._streams.hold(allowance.streams)

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
        """Load the model. Called in the event loop, which hears of the engine's events from now on."""
        loop = asyncio.get_running_loop()

        def tell(_: Event) -> None:
            # After the loop's end there is nobody left to tell.
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._changed)

        self.engine.listen(tell)
        self.engine.start()

    async def drain(self) -> None:
        """Say 'not ready', take scripts until the proxy has noticed, finish what runs, end the streams."""
        began = time.monotonic()
        loaded = self.engine.state in TAKES
        self._draining = True
        self._changed()
        if loaded:
            await asyncio.sleep(self.settings.drain_s)
        self.engine.close()
        while not self.engine.idle:
            if time.monotonic() - began > self.settings.stop_grace_s:
                self.engine.cancel_all()
            await asyncio.sleep(POLL_S)
        self.stopped.set()
        self._changed()

    def _changed(self) -> None:
        for watcher in self._watchers:
            watcher.set()

    def _count(self, event: Event) -> None:
        if event.kind == "finished" and event.speech is not None:
            self._usage.add(event.speech.duration)

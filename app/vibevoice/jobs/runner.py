"""Who speaks a project's jobs: claims them, has them spoken, and keeps what comes, whatever happens."""

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from ..engine import Engine
from .errors import StoreError
from .hands import Hands, RunnerEvent
from .model import Job, RunnerState
from .speaking import Leave
from .store import Store
from .watch import Watch

__all__ = ["Runner", "RunnerEvent"]

log = logging.getLogger(__name__)

# How often to look for jobs that were submitted elsewhere, and to renew leases and hear of cancelled jobs.
LOOK_S, KEEP_S = 0.25, 1.0
# So often a lease is renewed at least, before it runs out.
RENEWALS = 5
# How long to leave a disk or store alone that has just failed.
SICK_S, FULL_S = 0.5, 2.0
# What is to be free beyond the reserve before it goes on: a sixteenth of that, but no more than this. Freed
# by the megabyte, it would stop and start for each of them.
MARGIN_BYTES = 64 * 2**20
# How long an engine may wait for a GPU that another has before its jobs are given to whoever has one.
WAIT_S = 3.0
# What a drain takes beyond its patience if the store fails. Then the leases run out.
DRAIN_S = 3.0
DISK_FULL = Leave(reason="disk_full")


class Runner:
    """A thread that speaks jobs of a store with an engine, as many at once as that has streams.

    It lets the engine sleep while there is nothing to do, and wakes it again. Nothing ends it but `drain`: a
    job's fault is that job's end, a store that fails is asked again.
    """

    def __init__(
        self,
        store: Store,
        engine: Engine,
        *,
        name: str,
        slot: int,
        lease_s: float = 15.0,
        idle_s: float = 1800.0,
        reserve: int = 0,
        spoken: Callable[[Job, float], None] = lambda job, seconds: None,
        watch: Watch | None = None,
    ) -> None:
        """
        Args:
            name: nobody else's, also not of this studio's before it was started anew.
            slot: the GPU's.
            lease_s: after which others go on with its jobs if it says nothing.
            idle_s: without a job, until the engine is put to sleep.
            reserve: bytes of the disk to be left free.
            spoken: told of sound, in seconds, once it is saved: each second of it once.
            watch: poked when something was saved.
        """
        self.paused = ""
        """Why nothing is spoken: `disk_full`, `store_failed`; else empty."""
        self.lent = False
        """Whether the GPU is another studio's, which has been lent it and has not given it back."""
        self.ticked = time.monotonic()
        """When the thread last looked around (monotonic)."""
        self._store, self._engine, self._watch = store, engine, watch
        self._name, self._slot, self._lease_s, self._idle_s = name, slot, lease_s, idle_s
        self._reserve, self._enough = reserve, reserve + min(reserve // 16, MARGIN_BYTES)
        self._spoken = spoken
        self._listeners: list[Callable[[RunnerEvent], None]] = []
        self._wake = threading.Event()
        self._hands = Hands(store, engine, self._wake.set, self._saved, self._tell)
        self._keep_s = min(KEEP_S, lease_s / RENEWALS)
        self._poked = self._short = self._lending = False
        self._drain_until: float | None = None
        self._kept = -math.inf
        # When there last was a job and a GPU, when the disk had no room, when the store did all it was asked.
        self._busy = self._had_gpu = self._stopped = self._well = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="runner", daemon=True)

    def start(self) -> None:
        """Begin to claim jobs, once the engine is ready."""
        self._engine.listen(lambda event: self._wake.set() if event.kind == "state" else None)
        self._thread.start()

    def poke(self) -> None:
        """Look now: a job was submitted or cancelled. From any thread."""
        self._poked = True
        self._wake.set()

    def listen(self, listener: Callable[[RunnerEvent], None]) -> None:
        """Call `listener` with every event, in the runner's thread; it must not block."""
        self._listeners.append(listener)

    @property
    def running(self) -> int:
        """Jobs in its hands."""
        return len(self._hands)

    def lend(self) -> None:
        """Hand all jobs over and give the GPU up, until whoever waits for it is done with it. Does not wait.

        For the moment in which another studio takes this one's place, or tries to.
        """
        log.info("The GPU is lent: jobs are handed over, and the engine gets in line behind whoever waits")
        self._lending = self.lent = True
        self.poke()

    def drain(self, patience_s: float) -> None:
        """Claim nothing more, give `speech` up to `patience_s` seconds to end, hand all else over; then end.

        Returns once nothing is in its hands and the thread has ended.
        """
        if self._thread.ident is None:
            return
        self._drain_until = time.monotonic() + patience_s
        self.poke()
        self._thread.join()

    # --- the thread ----------------------------------------------------------------------------------------

    def _run(self) -> None:
        while self._drain_until is None or self._hands:
            self.ticked = time.monotonic()
            try:
                self._round(self.ticked)
            except StoreError as error:
                self._failed(error)
                time.sleep(SICK_S)
            except Exception:
                log.exception("The runner goes on after a fault of its own")
                time.sleep(SICK_S)
            else:
                self._wake.wait(self._pause())
                self._wake.clear()
        self._beat()

    def _round(self, now: float) -> None:
        poked, self._poked = self._poked, False
        self._hands.account()
        if poked or now - self._kept >= self._keep_s:
            self._kept = now
            self._look_at_the_disk(now)
            self._hands.renew(self._name, self._lease_s)
            self._beat()
        self._hand_over(now)
        if self._hands.put_down() and self._watch:
            self._watch.poke()
        self._claim()
        self._hands.begin()
        self._get_in_line()
        self._sleep_or_wake(now)
        self._well = now
        if self.paused == "store_failed":
            log.info("The job store works again")
            self.paused = ""

    def _pause(self) -> float:
        """Seconds until the next round, if nobody wakes the thread."""
        now = time.monotonic()
        pause = LOOK_S if self._free else self._keep_s
        for speaking in self._hands:
            if speaking.urgent(now):
                return 0.0
            if speaking.write_at > now:
                pause = min(pause, speaking.write_at - now)
        return pause

    def _failed(self, error: StoreError) -> None:
        """A round could not be brought to its end."""
        now = time.monotonic()
        if error.full:
            self._stop_for_space(now, str(error))
            with suppress(StoreError):
                self._store.spend_spare()
            # It takes not even what is ready to be written.
            self._hands.forget_unsaved(DISK_FULL)
        elif not self.paused:
            log.error("The job store fails, and is asked again: %s", error)
            self.paused = "store_failed"
        if now - self._well > self._lease_s or now > self._last_moment:
            self._hands.drop()

    # --- what a round is made of ---------------------------------------------------------------------------

    def _look_at_the_disk(self, now: float) -> None:
        free = self._store.room(0)
        self._short = free < (self._enough if self.paused else self._reserve)
        if self._short:
            self._stop_for_space(now, f"{free} bytes are free, {self._reserve} are to be left")
            for speaking in self._hands:
                speaking.go(DISK_FULL)
            return
        self._store.keep_spare()
        if self.paused == "disk_full" and now - self._stopped >= FULL_S:
            log.info("The disk has room again")
            self.paused = ""

    def _stop_for_space(self, now: float, why: str) -> None:
        if self.paused != "disk_full":
            log.error("The disk is full, and nothing is spoken until it has room: %s", why)
        self.paused, self._stopped = "disk_full", now

    def _beat(self) -> None:
        engine = self._engine.state
        takes = engine in ("loading", "ready", "restarting") and not self.paused and not self._draining
        state = RunnerState(
            id=self._name,
            slot=self._slot,
            engine=engine,
            streams=self._engine.capacity().slots if takes else 0,
            running=len(self._hands),
            pace=self._hands.pace,
        )
        # It is only for others' plans, and whatever ails the disk is said elsewhere.
        with suppress(StoreError):
            self._store.beat(state)

    def _hand_over(self, now: float) -> None:
        """Give away what is not to be spoken here."""
        state = self._engine.state
        if state != "waiting":
            self._had_gpu = now
        if state == "ready" and not self._lending:
            self.lent = False
        for speaking in self._hands:
            until = self._drain_until if speaking.job.kind == "speech" else -math.inf
            if self._lending or (self._draining and now >= (until or 0)) or now - self._had_gpu > WAIT_S:
                speaking.go(Leave())

    def _claim(self) -> None:
        if self._free:
            for job in self._store.claim(self._name, self._lease_s, self._free, self._enough):
                self._hands.take(job)
                if job.epoch == 1 and job.started:
                    self._tell(RunnerEvent("claimed", job, job.started - job.created))
        elif self._short and self._engine.state == "ready":
            # So that their owners see what they wait for.
            most = self._engine.capacity().slots
            for job in self._store.claim(self._name, self._lease_s, most, self._enough):
                self._hands.take(job).go(DISK_FULL)

    @property
    def _free(self) -> int:
        """Jobs that may be claimed now."""
        if self.paused or self._draining or self._lending or self._engine.state != "ready":
            return 0
        return max(0, self._engine.capacity().slots - len(self._hands))

    @property
    def _draining(self) -> bool:
        return self._drain_until is not None

    @property
    def _last_moment(self) -> float:
        """When a drain is over, come what may."""
        return math.inf if self._drain_until is None else self._drain_until + DRAIN_S

    def _get_in_line(self) -> None:
        """End the engine, and start one that waits for the GPU: whoever waits already comes first."""
        if self._lending and not self._hands:
            if self._engine.sleep():
                self._engine.wake()
            self._lending, self._kept = False, -math.inf

    def _sleep_or_wake(self, now: float) -> None:
        state = self._engine.state
        if state == "asleep":
            if not (self.paused or self._draining or self._others()) and self._store.anything():
                log.info("A job waits: the engine is woken")
                self._engine.wake()
                self._busy, self._kept = now, -math.inf
        elif self._hands or state not in ("ready", "waiting"):
            self._busy = now
        elif now - self._busy >= self._idle_s:
            self._busy = now
            if not self._store.anything() and self._engine.sleep():
                log.info("Nobody has asked for anything for %g s: the engine sleeps", self._idle_s)
                self._kept = -math.inf

    def _others(self) -> bool:
        """Another runner is up, and has room."""
        others = (runner for runner in self._store.runners() if runner.id != self._name)
        return any(runner.streams > runner.running for runner in others)

    def _saved(self, job: Job, seconds: float) -> None:
        with _harmless():
            self._spoken(job, seconds)

    def _tell(self, event: RunnerEvent) -> None:
        for listener in self._listeners:
            with _harmless():
                listener(event)


@contextmanager
def _harmless() -> Iterator[None]:
    """Whoever listens fails alone."""
    try:
        yield
    except Exception:
        log.exception("A listener of the runner's failed")

"""The jobs that a runner has claimed, and what becomes of them: begun, written down, ended, lost."""

import logging
import math
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

from ..engine import Cancelled, Engine, NotReady, QueueFull, Refused, TooLong
from .errors import Damaged, LeaseLost, StoreError
from .model import Job, Take
from .piece import is_full
from .speaking import Leave, Speaking, failed
from .store import Store

log = logging.getLogger(__name__)

# Of the pace, what lies so far back counts a third.
PACE_S = 60.0

After = list[Callable[[], None]]
"""What is to be done once the store has committed."""


@dataclass(frozen=True)
class RunnerEvent:
    """What happened to a job in a runner's hands.

    claimed: for the first time. first_audio: some of it can be heard. segment: one is whole. seconds:
    `audio_s` of sound were saved, for `busy_s` of the device's time. ended: with job.state.
    """

    kind: Literal["claimed", "first_audio", "segment", "seconds", "ended"]
    job: Job
    seconds: float = 0.0
    """Since it was submitted: of claimed, first_audio, ended."""
    audio_s: float = 0.0
    busy_s: float = 0.0


class Hands:
    """For the runner's thread. Whatever raises a StoreError may be called again: nothing has happened, or
    only what need not happen again."""

    def __init__(
        self,
        store: Store,
        engine: Engine,
        wake: Callable[[], None],
        spoken: Callable[[Job, float], None],
        tell: Callable[[RunnerEvent], None],
    ) -> None:
        """See Runner; `wake` lets its thread look again."""
        self._store, self._engine, self._wake = store, engine, wake
        self._spoken, self._tell = spoken, tell
        self._held: dict[str, Speaking] = {}
        self._accounted = time.monotonic()
        self._sound_s = self._stream_s = 0.0
        # Of whole segments: how long they were expected to be, and were.
        self._expected_s = self._heard_s = 0.0

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[Speaking]:
        return iter(list(self._held.values()))

    @property
    def pace(self) -> float:
        """Seconds of expected sound that a stream makes in a second, of late; 0: not known yet.

        Of what was expected: where speech is longer than its script made believe, all will take longer.
        """
        if self._stream_s < 1:
            return 0.0
        believed = self._expected_s / self._heard_s if self._heard_s else 1.0
        return self._sound_s / self._stream_s * believed

    def take(self, job: Job) -> Speaking:
        """A job has been claimed."""
        if old := self._held.get(job.id):
            # Its lease had run out while this process stood still, and so it was given to us once more.
            self._drop(old)
        self._held[job.id] = speaking = Speaking(job, self._wake)
        return speaking

    def renew(self, runner: str, lease_s: float) -> None:
        """Keep the leases, and hear what has become of the jobs meanwhile."""
        epochs = {id: speaking.job.epoch for id, speaking in self._held.items()}
        for id, answer in self._store.renew(runner, epochs, lease_s).items():
            if answer == "lost":
                self._lost(self._held[id])
            elif answer == "cancel":
                self._held[id].go(Leave("cancelled"))

    def account(self) -> None:
        """Share the time since the last call among those that were spoken."""
        now = time.monotonic()
        passed, self._accounted = now - self._accounted, now
        if self._engine.state == "ready":
            busy = [one for one in self if one.stream and one.stream.started and not one.stream.future.done()]
            for speaking in busy:
                speaking.busy_s += passed / len(busy)
                speaking.stream_s += passed

    def put_down(self) -> bool:
        """Write and save what has been spoken, and act on what has ended, if any of it is urgent.

        Returns whether it was. Raises StoreError.
        """
        now = time.monotonic()
        if not any(speaking.urgent(now) for speaking in self):
            return False
        for speaking in self:
            self._guarded(speaking, partial(speaking.write, now))
        after: After = []
        with self._store.transaction():
            for speaking in self:
                self._guarded(speaking, partial(self._save, speaking, after))
        for action in after:
            action()
        return True

    def begin(self) -> None:
        """Speak the next segment of those that speak none. Raises StoreError."""
        idle = [speaking for speaking in self if not speaking.stream and not speaking.leave]
        if not idle:
            return
        begun: list[tuple[Speaking, int, Take]] = []
        with self._store.transaction():
            for speaking in idle:
                self._guarded(speaking, partial(self._begin_take, speaking, begun))
        for speaking, n, take in begun:
            self._guarded(speaking, partial(self._start, speaking, n, take))

    def forget_unsaved(self, leave: Leave) -> None:
        """All leave, with no more than is saved."""
        for speaking in self:
            speaking.forget_unsaved()
            speaking.go(leave)

    def drop(self) -> None:
        """Let go of all, without a word to the store: their leases run out."""
        for speaking in self:
            self._drop(speaking)

    # --- one job -------------------------------------------------------------------------------------------

    def _begin_take(self, speaking: Speaking, begun: list[tuple[Speaking, int, Take]]) -> None:
        n = speaking.to_speak
        if n is None:
            # Whoever had it ended between its last sample and its end.
            speaking.go(Leave("done"))
            self._wake()
            return
        take = self._store.begin(speaking.job, n)
        if take.pieces and not take.frames:
            # Silence alone: there is nothing to go on from.
            take = self._store.restart_take(speaking.job, n)
        begun.append((speaking, n, take))

    def _start(self, speaking: Speaking, n: int, take: Take) -> None:
        try:
            speaking.start(self._store, self._engine, n, take)
        except (NotReady, QueueFull):
            self._go(speaking, Leave())

    def _save(self, speaking: Speaking, after: After) -> None:
        if speaking.unsaved_s:
            speaking.save(self._store)
            after.append(partial(self._saved, speaking))
        if speaking.ended and not speaking.leave:
            self._ended(speaking, after)
        elif speaking.leave:
            self._leave(speaking, speaking.leave, after)

    def _saved(self, speaking: Speaking) -> None:
        job, seconds = speaking.job, speaking.unsaved_s
        speaking.saved()
        self._spoken(job, seconds)
        if speaking.silent:
            speaking.silent = False
            self._tell(RunnerEvent("first_audio", job, time.time() - job.created))
        self._tell(RunnerEvent("seconds", job, audio_s=seconds, busy_s=speaking.busy_s))
        keep = math.exp(-speaking.stream_s / PACE_S)
        self._sound_s = keep * self._sound_s + seconds
        self._stream_s = keep * self._stream_s + speaking.stream_s
        speaking.busy_s = speaking.stream_s = 0.0

    def _ended(self, speaking: Speaking, after: After) -> None:
        """Its stream has ended, one way or the other."""
        store, job, n, stream = self._store, speaking.job, speaking.n, speaking.stream
        assert n is not None and stream is not None
        match stream.future.exception():
            case None:
                job = store.finish_take(job, n, capped=stream.future.result().capped)
                after.append(partial(self._segment, speaking, job))
                if not any(segment.coming for segment in job.segments):
                    self._leave(speaking, Leave("done"), after)
                elif store.should_yield(job):
                    self._leave(speaking, Leave(reason="yielded"), after)
            case Refused(param="resume"):
                log.info("It was begun by another model, and is spoken anew", extra=_of(speaking))
                store.restart_take(job, n)
                after.append(speaking.stop)
            case Refused(param="prefix") | TooLong() if speaking.prefixed:
                log.info("It cannot go on from the segment before", extra=_of(speaking))
                after.append(speaking.stand_alone)
            case NotReady() | QueueFull() | Cancelled():
                # The engine's trouble: another, or the next one, goes on.
                self._leave(speaking, Leave(), after)
            case Exception() as error:
                log.error("It cannot be spoken (%s)", type(error).__name__, extra=_of(speaking))
                self._leave(speaking, failed(error), after)
            case error:
                raise AssertionError(f"a stream ended with {type(error).__name__}")

    def _segment(self, speaking: Speaking, job: Job) -> None:
        segment = job.segments[speaking.n or 0]
        if segment.heard:
            self._expected_s += segment.estimate_s
            self._heard_s += segment.heard.seconds
        speaking.next_segment(job)
        self._tell(RunnerEvent("segment", job))

    def _leave(self, speaking: Speaking, leave: Leave, after: After) -> None:
        if leave.state is None:
            self._store.release(speaking.job, leave.reason)
            after.append(partial(self._back, speaking, leave.reason))
            return
        job = self._store.finish(speaking.job, leave.state, leave.error_type, leave.error_message)
        after.append(partial(self._over, speaking, job))

    def _back(self, speaking: Speaking, reason: str) -> None:
        log.info("Given back", extra={**_of(speaking), "reason": reason or None})
        self._drop(speaking)

    def _over(self, speaking: Speaking, job: Job) -> None:
        self._drop(speaking)
        self._tell(RunnerEvent("ended", job, (job.ended or job.created) - job.created))

    def _drop(self, speaking: Speaking) -> None:
        self._held.pop(speaking.job.id, None)
        speaking.stop()

    def _lost(self, speaking: Speaking) -> None:
        log.warning("No longer ours: taken over, or deleted", extra=_of(speaking))
        self._drop(speaking)

    def _go(self, speaking: Speaking, leave: Leave) -> None:
        speaking.go(leave)
        self._wake()

    def _guarded(self, speaking: Speaking, action: Callable[[], None]) -> None:
        """Whatever is wrong with one job is that job's end, not the others'. Raises StoreError alone (and
        what the store makes one of, inside of its transaction)."""
        try:
            action()
        except LeaseLost:
            self._lost(speaking)
        except Damaged as error:
            self._fail(speaking, error)
        except (StoreError, sqlite3.Error):
            raise
        except OSError as error:
            if is_full(error):
                raise StoreError(f"{speaking.job.id}: {error}", full=True) from error
            self._fail(speaking, error)
        except Exception as error:
            self._fail(speaking, error)

    def _fail(self, speaking: Speaking, error: Exception) -> None:
        if speaking.leave:
            log.exception("It could not leave; its lease will run out", extra=_of(speaking))
            self._drop(speaking)
            return
        leave = failed(error)
        if leave.error_type == "generation_failed":
            log.exception("It fails by a fault of ours", extra=_of(speaking))
        self._go(speaking, leave)


def _of(speaking: Speaking) -> dict[str, object]:
    """Of whom a line of the log is."""
    return {"job": speaking.job.id, "segment": speaking.n}

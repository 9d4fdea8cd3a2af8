"""Who speaks next: streams join, leave and are told of between two frames of a batch."""

import logging
import queue
import time
from collections import deque
from typing import Protocol

import torch

from .batch import Batch
from .generation import End, EngineError, Generation, Spoken
from .messages import Ended, FromEngine, FromWeb, Heartbeat, Leave, Left, Started, Step, Submit, Trying
from .run import Run

log = logging.getLogger(__name__)

BEAT_S = 1.0
# Frames that wait to be read before the batch waits, too: 260 MB, and at 400 times real time about 7 s in
# which the web process need not read at all. Who is further behind gains nothing by more frames.
MOST_UNREAD = 20_000
# Each new stream may hold the others up for so long, if the reader is slow. Where that is too short, a stream
# that kills the engine at once is not known for it.
FLUSH_S = 0.1


class Sink(Protocol):
    """Where messages go; see Outbox."""

    def send(self, message: FromEngine, frames: int = 0) -> None: ...
    def drained(self, frames: int, timeout: float) -> bool: ...
    def flushed(self, timeout: float) -> bool: ...


class Scheduler:
    """Serves the streams of one batch in the order in which they came, in the thread that calls `turn`."""

    def __init__(self, batch: Batch, inbox: "queue.SimpleQueue[FromWeb]", outbox: Sink) -> None:
        """Takes what the web process says out of `inbox`; what the batch speaks goes into `outbox`."""
        self._batch, self._inbox, self._outbox = batch, inbox, outbox
        self._waiting: deque[tuple[int, Run]] = deque()
        self._running: dict[int, Run] = {}
        self._numbers: dict[Run, int] = {}
        self._tried: int | None = None
        self._last_beat = 0.0

    def turn(self, patience: float = BEAT_S) -> None:
        """One frame of each stream; with nothing to do, wait up to `patience` seconds for something.

        Raises whatever the batch's step raises: then the device is lost.
        """
        idle = not self._waiting and not self._batch.busy
        self._read(patience if idle else 0)
        self._admit()
        self._speak()
        self._beat()

    def _read(self, patience: float) -> None:
        """Do what the web process has asked for since the last frame."""
        try:
            message = self._inbox.get(timeout=patience) if patience else self._inbox.get_nowait()
            while True:
                match message:
                    case Submit(number, generation):
                        self._queue(number, generation)
                    case Leave(number):
                        self._leave(number)
                message = self._inbox.get_nowait()
        except queue.Empty:
            return

    def _queue(self, number: int, generation: Generation) -> None:
        try:
            run = self._batch.prepare(generation)
        except Exception as error:
            self._fail(number, error)
        else:
            self._waiting.append((number, run))

    def _leave(self, number: int) -> None:
        run = self._running.pop(number, None)
        if run is not None:
            del self._numbers[run]
            self._batch.remove(run)
        waiting = [entry for entry in self._waiting if entry[0] != number]
        if run is not None or len(waiting) < len(self._waiting):
            self._waiting = deque(waiting)
            self._outbox.send(Left(number))

    def _admit(self) -> None:
        """Let in who is first, again and again until he must wait; nobody overtakes him, however small."""
        batch = self._batch
        while self._waiting:
            number, run = self._waiting[0]
            if batch.running == batch.slots:
                return
            if self._tried != number:
                self._tried = number
                self._outbox.send(Trying(number))
                self._outbox.flushed(FLUSH_S)
            try:
                if not batch.admit(run):
                    if batch.running:
                        return
                    raise EngineError("There is no room for it, though nothing else is there.")
            except torch.AcceleratorError:
                # Of the device, not of the run: every later call fails, too.
                raise
            except Exception as error:
                self._waiting.popleft()
                self._fail(number, error)
            else:
                self._waiting.popleft()
                self._running[number], self._numbers[run] = run, number
                self._outbox.send(Started(number, run.seed))

    def _speak(self) -> None:
        if not self._batch.busy or not self._outbox.drained(MOST_UNREAD, BEAT_S / 2):
            return
        spoken = [entry for run, result in self._batch.step() for entry in self._of(run, result)]
        if spoken:
            self._outbox.send(Step(tuple(spoken)), frames=len(spoken))

    def _of(self, run: Run, result: Spoken) -> list[tuple[int, Spoken]]:
        """A result by its stream's number; none if that has left in the meantime."""
        number = self._numbers.get(run)
        if number is None:
            return []
        if isinstance(result, End):
            del self._numbers[run], self._running[number]
        return [(number, result)]

    def _fail(self, number: int, error: Exception) -> None:
        if not isinstance(error, EngineError):
            log.error("Stream %s failed", number, exc_info=error)
            error = EngineError(f"The generation failed: {type(error).__name__}: {error}")
        self._outbox.send(Ended(number, error))

    def _beat(self) -> None:
        now = time.monotonic()
        if now - self._last_beat >= BEAT_S:
            self._last_beat = now
            self._outbox.send(Heartbeat(self._batch.kv_free))

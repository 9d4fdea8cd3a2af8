"""The engine: one thread that loads the model and speaks one script after another."""

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .generation import Cancelled, EngineError, Generation, NotReady, QueueFull, Speech, Stream
from .gpu_lock import GpuLock

if TYPE_CHECKING:
    from .model import Model

State = Literal["loading", "ready", "closed", "failed"]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Event:
    """Something happened in the engine: it changed its state, or a stream was submitted, began or ended."""

    kind: Literal["state", "submitted", "started", "finished"]
    stream: Stream | None = None
    speech: Speech | None = None
    error: BaseException | None = None


class Engine:
    """Speaks scripts on one device, in its own thread.

    Submitting never blocks. Listeners are called in the engine's thread or the submitter's; they must not
    block either.
    """

    def __init__(
        self, model_dir: Path, device: str, *, slot: int, lock_dir: Path | None, max_waiting: int
    ) -> None:
        self._model_dir, self._device = model_dir, device
        self._slot, self._lock_dir = slot, lock_dir
        self._max_waiting = max_waiting
        self._lock = threading.Lock()
        self._queue: queue.SimpleQueue[Stream | None] = queue.SimpleQueue()
        self._streams: list[Stream] = []
        self._listeners: list[Callable[[Event], None]] = []
        self._state: State = "loading"
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        """Begin to load the model."""
        self._thread.start()

    @property
    def state(self) -> State:
        return self._state

    @property
    def running(self) -> int:
        """Generations under way: 0 or 1."""
        return sum(stream.started is not None for stream in tuple(self._streams))

    @property
    def waiting(self) -> int:
        """Generations that wait for their turn."""
        return sum(stream.started is None for stream in tuple(self._streams))

    @property
    def idle(self) -> bool:
        """Nothing runs and nothing waits."""
        return not self._streams

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Call `listener` with every event from now on."""
        self._listeners.append(listener)

    def submit(self, generation: Generation) -> Stream:
        """Queue a script. Raises NotReady, QueueFull."""
        stream = Stream(generation)
        # A caller that goes away cancels the stream, never the future that the engine will fill.
        stream.future.set_running_or_notify_cancel()
        with self._lock:
            if self._state != "ready":
                raise NotReady(f"the engine is {self._state}")
            if len(self._streams) > self._max_waiting:
                raise QueueFull(f"{self._max_waiting} generations wait already")
            self._streams.append(stream)
            self._queue.put(stream)
        self._tell(Event("submitted", stream))
        return stream

    def close(self) -> None:
        """Take no more scripts; those already here are spoken."""
        with self._lock:
            if self._state == "failed":
                return
            self._state = "closed"
            self._queue.put(None)
        self._tell(Event("state"))

    def cancel_all(self) -> None:
        """End what runs at its next frame, and what waits before its first."""
        for stream in tuple(self._streams):
            stream.cancel()

    def join(self, timeout: float) -> bool:
        """Wait for the thread's end after `close`; whether it ended within `timeout` seconds."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            model = self._load()
            while stream := self._queue.get():
                self._speak(model, stream)
        except Exception:
            log.exception("The engine stopped: %s", self._model_dir)
            with self._lock:
                self._state = "failed"
            self._tell(Event("state"))
            self._refuse_all()

    def _load(self) -> "Model":
        started = time.monotonic()
        from .model import Model

        imported = time.monotonic()
        model = Model(self._model_dir, self._device)
        self._gpu = GpuLock(self._lock_dir and self._lock_dir / f"{model.gpu or f'slot-{self._slot}'}.lock")
        now = time.monotonic()
        log.info(
            "Model ready on %s: imports %.1f s, weights %.1f s",
            model.device,
            imported - started,
            now - imported,
        )
        with self._lock:
            if self._state == "loading":
                self._state = "ready"
        self._tell(Event("state"))
        return model

    def _speak(self, model: "Model", stream: Stream) -> None:
        """Speak one script; its errors are its own, those that leave the device unusable are everybody's."""
        speech, error = None, None
        try:
            with self._gpu.hold(lambda: stream.cancelled):
                stream.started = time.monotonic()
                self._tell(Event("started", stream))
                if stream.cancelled:
                    raise Cancelled("cancelled before the first frame")

                def on_frame(frames: int) -> None:
                    stream.frames = frames

                speech = model.speak(stream.generation, on_frame, lambda: stream.cancelled)
        except Exception as caught:
            error = caught
            if not isinstance(caught, EngineError):
                log.exception("A generation failed")
        self._finish(stream, speech, error)
        if error is not None and _device_is_lost(error):
            raise error

    def _finish(self, stream: Stream, speech: Speech | None, error: BaseException | None) -> None:
        self._streams.remove(stream)
        self._tell(Event("finished", stream, speech, error))
        if speech is not None:
            stream.future.set_result(speech)
        else:
            stream.future.set_exception(error or Cancelled("cancelled"))

    def _refuse_all(self) -> None:
        for stream in tuple(self._streams):
            self._finish(stream, None, NotReady("the engine failed"))

    def _tell(self, event: Event) -> None:
        for listener in self._listeners:
            listener(event)


def _device_is_lost(error: BaseException) -> bool:
    """After an error inside a CUDA kernel every later call fails too: only a new process helps."""
    import torch

    return isinstance(error, torch.AcceleratorError)

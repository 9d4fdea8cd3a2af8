"""The engine as the rest of the studio sees it: one, whatever becomes of the process behind it."""

import logging
import threading
from collections.abc import Callable

from .checks import checked
from .events import TAKES, Event, State
from .generation import End, EngineError, Generation, NotReady, QueueFull, Speech, Spoken
from .messages import (
    Dying,
    Ended,
    FromEngine,
    Heartbeat,
    Leave,
    Left,
    Ready,
    Started,
    Step,
    Submit,
    Trying,
    Waiting,
)
from .places import MOST_DEATHS, Place, Places
from .setup import Capacity, Setup
from .stream import Stream
from .supervisor import Life, Patience, Supervisor

log = logging.getLogger(__name__)
PATIENCE = Patience()
# An engine process is ended by force before that; only the kernel could still hold it.
SLEEP_S = 30.0


class Engine:
    """Speaks scripts on one device, several at once, in a process of its own that is replaced when it dies,
    and can be done without for a while.

    Submitting never blocks. Listeners are called in the engine's thread or in the caller's own; they must not
    block either.
    """

    def __init__(
        self,
        setup: Setup,
        *,
        max_waiting: int,
        patience: Patience = PATIENCE,
        command: list[str] | None = None,
    ) -> None:
        """`max_waiting` streams may wait besides the `setup.streams` that may run; `command` starts another
        program in the engine's place."""
        self._slots, self._most = setup.streams, setup.streams + max_waiting
        self._max_waiting = max_waiting
        self._lock = threading.RLock()
        self._places = Places()
        self._listeners: list[Callable[[Event], None]] = []
        self._turning = threading.Lock()
        self._state: State = "loading"
        self._life: Life | None = None
        self._ready: Ready | None = None
        self._kv_free = 0
        self.reason = ""
        """Why the engine failed; empty if it has not."""
        self.restarts = 0
        """Engines that have died and were followed by another."""
        self._command, self._patience = command or setup.command(), patience
        self._supervisor = Supervisor(self._command, patience, self)

    def start(self) -> None:
        """Begin to load the model."""
        self._supervisor.start()

    @property
    def state(self) -> State:
        """Scripts are taken in those of TAKES. `waiting`: another process has the GPU; `asleep`: there is no
        process, and all of its memory is free."""
        return self._state

    @property
    def pid(self) -> int | None:
        """The engine process, if there is one."""
        life = self._life
        return life.pid if life else None

    @property
    def running(self) -> int:
        """Generations under way."""
        with self._lock:
            return sum(place.stream.started is not None for place in self._places)

    @property
    def waiting(self) -> int:
        """Generations that wait for their turn."""
        with self._lock:
            return sum(place.stream.started is None for place in self._places)

    @property
    def idle(self) -> bool:
        """Nothing runs and nothing waits."""
        return not self._places

    def capacity(self) -> Capacity:
        """What there is room for, as of the last second."""
        with self._lock:
            ready = self._ready
            return Capacity(self._slots, ready.kv_tokens if ready else 0, self._kv_free if ready else 0)

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Call `listener` with every event from now on."""
        self._listeners.append(listener)

    def submit(self, generation: Generation, *, keep: bool = True) -> Stream:
        """Queue a script. `keep`: its stream keeps all sound; else whoever listens takes it as it comes.

        Raises NotReady, QueueFull, Refused.
        """
        stream = Stream(checked(generation), self._leave, keep=keep)
        with self._lock:
            if self._state not in TAKES:
                raise NotReady(f"the engine is {self._state}")
            if len(self._places) >= self._most:
                raise QueueFull(f"{self._max_waiting} generations wait already")
            self._places.add(stream)
        self._tell(Event("submitted", stream))
        self._pump()
        return stream

    def sleep(self) -> bool:
        """End the process, and wait until it is gone. False, and nothing done: something runs or waits, or
        the engine is asleep, closed or failed already."""
        with self._turning:
            with self._lock:
                if self._places or self._state in ("asleep", "closed", "failed"):
                    return False
                self._state = "asleep"
            self._supervisor.stop()
            self._supervisor.join(SLEEP_S)
            with self._lock:
                self._life = self._ready = None
        self._tell(Event("state"))
        return True

    def wake(self) -> None:
        """Load the model again, if the engine sleeps."""
        with self._turning, self._lock:
            if self._state != "asleep":
                return
            self._state = "loading"
            self._supervisor = Supervisor(self._command, self._patience, self)
            self._supervisor.start()
        self._tell(Event("state"))

    def close(self) -> None:
        """Take no more scripts; those already here are spoken, then the process ends."""
        with self._lock:
            if self._state == "failed":
                return
            self._state = "closed"
        self._stop_when_done()
        self._tell(Event("state"))

    def cancel_all(self) -> None:
        """End what runs and what waits, now."""
        with self._lock:
            places = list(self._places)
        for place in places:
            place.stream.cancel()

    def join(self, timeout: float) -> bool:
        """Wait for the process's end after `close`; whether it ended within `timeout` seconds."""
        return self._supervisor.join(timeout)

    # --- what the supervisor says, in its thread -----------------------------------------------------------

    def began(self, life: Life) -> None:
        """There is a new process. It is handed what there is once it is ready."""
        with self._lock:
            self._life, self._ready = life, None

    def heard(self, life: Life, message: FromEngine) -> None:
        """The process said something."""
        if life is not self._life:
            # It was put to sleep, and took its time.
            return
        match message:
            case Ready():
                log.info("The engine (process %s) is ready on %s", life.pid, message.device)
                with self._lock:
                    self._ready, self._kv_free = message, message.kv_tokens
                self._become("ready")
                self._pump()
            case Waiting():
                self._become("waiting")
            case Heartbeat(kv_free):
                self._kv_free = kv_free
            case Trying(number):
                if place := self._numbered(number):
                    place.tried = True
            case Started(number, seed):
                if place := self._numbered(number):
                    self._started(place.stream, seed)
            case Step(spoken):
                for number, what in spoken:
                    if place := self._numbered(number):
                        self._spoken(place, what)
                self._pump()
            case Left(number):
                if (place := self._numbered(number)) and place.leaving:
                    self._finish(place, None, place.leaving)
            case Ended(number, error):
                if place := self._numbered(number):
                    self._finish(place, None, error)
            case Dying():
                pass

    def died(self, life: Life) -> None:
        """The process is gone; another follows, which speaks on."""
        with self._lock:
            self._life = None
            self.restarts += 1
            self._places.died()
            places = list(self._places)
        for place in places:
            if place.leaving:
                self._finish(place, None, place.leaving)
            elif place.poisonous:
                error = _poison(life)
                log.error("A stream is given up: %s", error)
                self._finish(place, None, error)
        self._become("restarting", unless=("loading", "waiting"))
        self._tell(Event("died"))

    def failed(self, reason: str) -> None:
        """There will be no other process."""
        log.error("The engine failed: %s", reason)
        with self._lock:
            self._life, self._state, self.reason = None, "failed", reason
            places = list(self._places)
        self._tell(Event("state"))
        for place in places:
            self._finish(place, None, NotReady(f"the engine failed: {reason}"))

    # --- streams -------------------------------------------------------------------------------------------

    def _pump(self) -> None:
        """Hand the process what it has not got."""
        with self._lock:
            if self._ready is None or self._life is None:
                return
            for place in self._places.due():
                assert place.number is not None
                self._life.send(Submit(place.number, place.stream.rest))

    def _numbered(self, number: int) -> Place | None:
        with self._lock:
            return self._places.numbered(number)

    def _started(self, stream: Stream, seed: int) -> None:
        first = stream.started is None
        stream.began(seed)
        if first:
            self._tell(Event("started", stream))

    def _spoken(self, place: Place, what: Spoken) -> None:
        ready = self._ready
        assert ready is not None, "frames before the engine was ready"
        place.move()
        place.stream.take(what, ready.weights)
        if isinstance(what, End):
            self._finish(place, place.stream.speech(ready.sample_rate, what.capped), None)

    def _leave(self, stream: Stream, error: EngineError, now: bool) -> None:
        """End a stream with an error: now, or when the engine has let go of it."""
        with self._lock:
            place = self._places.of(stream)
            if place is None:
                return
            asked, place.leaving = place.leaving, place.leaving or error
            life, number = self._life, place.number
            if life and number and not asked:
                life.send(Leave(number))
        if now or not (life and number):
            self._finish(place, None, error)

    def _finish(self, place: Place, speech: Speech | None, error: BaseException | None) -> None:
        """The end of a stream, whoever is first to bring it."""
        with self._lock:
            if not self._places.remove(place):
                return
        self._tell(Event("finished", place.stream, speech, error))
        place.stream.finish(speech, error)
        self._pump()
        self._stop_when_done()

    def _stop_when_done(self) -> None:
        with self._lock:
            done = self._state == "closed" and not self._places
        if done:
            self._supervisor.stop()

    def _become(self, state: State, unless: tuple[State, ...] = ()) -> None:
        """Change the state, but for the last ones and those of `unless`."""
        with self._lock:
            if self._state in ("asleep", "closed", "failed", state, *unless):
                return
            self._state = state
        self._tell(Event("state"))

    def _tell(self, event: Event) -> None:
        for listener in self._listeners:
            listener(event)


def _poison(life: Life) -> EngineError:
    return EngineError(
        f"The engine died {MOST_DEATHS} times while it spoke this and got no further ({life.reason}). "
        "Change the script or the voices."
    )

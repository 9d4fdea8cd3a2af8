"""A scheduler and its batch in the test's own process: turn by turn, with all it says kept."""

import queue

from vibevoice.audio import Samples
from vibevoice.engine import EngineError, Generation, Saved, Stream
from vibevoice.engine.batch import Batch
from vibevoice.engine.generation import End
from vibevoice.engine.messages import Ended, FromEngine, FromWeb, Leave, Left, Started, Step, Submit
from vibevoice.engine.scheduler import Scheduler


class Heard:
    """What has been heard of one stream, kept as the client keeps it. Nothing may follow its end."""

    def __init__(self, generation: Generation) -> None:
        self.stream = Stream(generation, lambda *_: None)
        self.asked_to_leave = False
        self.end: End | Left | EngineError | None = None

    @property
    def running(self) -> bool:
        return self.stream.started is not None and self.end is None

    @property
    def saved(self) -> Saved | None:
        return self.stream.saved

    @property
    def sound(self) -> Samples:
        """All of it, once it has ended."""
        assert self.end is not None
        return self.stream.speech(24_000, capped=False).samples


class World:
    """A scheduler, and whoever reads what it sends. Fails when told of a stream that has ended."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.streams: dict[int, Heard] = {}
        self.started: list[int] = []
        self.behind = False
        """Whether whoever reads has more frames unread than may be."""
        self._inbox: queue.SimpleQueue[FromWeb] = queue.SimpleQueue()
        self._scheduler = Scheduler(batch, self._inbox, self)

    def submit(self, generation: Generation) -> int:
        """The stream's number."""
        number = len(self.streams) + 1
        self.streams[number] = Heard(generation)
        self._inbox.put(Submit(number, generation))
        return number

    def leave(self, number: int) -> None:
        self.streams[number].asked_to_leave = True
        self._inbox.put(Leave(number))

    def turn(self) -> None:
        self._scheduler.turn(patience=0)

    def finish(self) -> None:
        """Until all streams have ended."""
        for _ in range(1000):
            if all(heard.end is not None for heard in self.streams.values()):
                return
            self.turn()
        raise AssertionError("there are streams that never end")

    def __getitem__(self, number: int) -> Heard:
        return self.streams[number]

    # --- as an outbox --------------------------------------------------------------------------------------

    def send(self, message: FromEngine, frames: int = 0) -> None:
        match message:
            case Started(number, seed):
                self._open(number).stream.began(seed)
                self.started.append(number)
            case Left(number):
                heard = self._open(number)
                assert heard.asked_to_leave
                heard.end = message
            case Ended(number, error):
                self._open(number).end = error
            case Step(spoken):
                assert frames == len(spoken)
                for number, what in spoken:
                    heard = self._open(number)
                    assert heard.running
                    heard.stream.take(what, self.batch.weights)
                    if isinstance(what, End):
                        heard.end = what

    def drained(self, frames: int, timeout: float) -> bool:
        return not self.behind

    def flushed(self, timeout: float) -> bool:
        return True

    def _open(self, number: int) -> Heard:
        heard = self.streams[number]
        assert heard.end is None, f"stream {number} has ended"
        return heard

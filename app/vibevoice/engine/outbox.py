"""Sending without waiting: whoever speaks or serves must not be held up by a slow reader."""

import threading
from collections import deque
from multiprocessing.connection import Connection
from typing import Any


class Outbox:
    """Messages on their way through a connection, sent in order by a thread of its own. For any thread."""

    def __init__(self, connection: Connection) -> None:
        """The thread ends with the connection."""
        self._connection = connection
        self._queue: deque[tuple[Any, int]] = deque()
        self._frames = 0
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self._thread.start()

    def send(self, message: Any, frames: int = 0) -> None:
        """Hand over a message with that many frames in it. What a closed connection is given is lost."""
        with self._changed:
            self._queue.append((message, frames))
            self._frames += frames
            self._changed.notify_all()

    def drained(self, frames: int, timeout: float) -> bool:
        """Wait until at most that many frames are unsent; whether that was so within `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._frames <= frames or self._closed, timeout)

    def flushed(self, timeout: float) -> bool:
        """Wait until the kernel has everything; whether that was so within `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._queue or self._closed, timeout)

    def close(self) -> None:
        """Send nothing more, what waits included. The connection is let go of, once its other end is gone."""
        self._give_up()
        self._thread.join()

    def _give_up(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._closed)
                if self._closed:
                    self._queue.clear()
                    return
                message, frames = self._queue[0]
            try:
                self._connection.send(message)
            except OSError:
                # The other end is gone: whoever reads hears of it.
                self._give_up()
                continue
            with self._changed:
                # Only now: an empty queue means that everything has left.
                self._queue.popleft()
                self._frames -= frames
                self._changed.notify_all()

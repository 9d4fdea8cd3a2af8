"""One engine process after another: started, watched, ended, started again."""

import contextlib
import logging
import multiprocessing.connection
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from .messages import Dying, FromEngine, FromWeb, Ready, Step
from .outbox import Outbox

log = logging.getLogger(__name__)

CODE = Path(__file__).parents[2]
# Reading 20 GB of weights from a slow disk, compiling kernels, capturing graphs: an engine that begins says
# nothing for minutes.
LOAD_S = 900.0
# From a closed socket to the end; it has nothing to tidy up.
END_S = 5.0
# An engine that dies is given longer and longer pauses, up to this.
LONGEST_PAUSE_S = 30.0
MOST_DEATHS = 5
# An engine that has stood for so long began well, though nobody asked it for anything.
STEADY_S = 600.0


@dataclass(frozen=True)
class Patience:
    """How long an engine may be silent, and how long to wait before the next, in seconds."""

    stall_s: float = 60.0
    load_s: float = LOAD_S
    pause_s: float = 1.0


class Life:
    """One engine process and the socket to it. Ends with the block."""

    def __init__(self, command: Sequence[str], patience: Patience) -> None:
        """Start it: `command` is given the socket as `--fd N`."""
        self._patience = patience
        self._began = time.monotonic()
        self.ready = self.progress = False
        self.reason = ""
        """Why it ended, in its own words or the watcher's; empty as long as nobody said."""
        self.hopeless = False
        self._lost = False
        self._socket, theirs = socket.socketpair()
        with theirs:
            path = os.pathsep.join(filter(None, [str(CODE), os.environ.get("PYTHONPATH")]))
            self._process = subprocess.Popen(
                [*command, "--fd", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env={**os.environ, "PYTHONPATH": path},
                stdin=subprocess.DEVNULL,
            )
        self._connection = multiprocessing.connection.Connection(os.dup(self._socket.fileno()))
        self._outbox = Outbox(self._connection)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def steady(self) -> bool:
        """It has spoken, or stood for long: what it died of is not that it cannot live."""
        return self.progress or (self.ready and time.monotonic() - self._began > STEADY_S)

    def send(self, message: FromWeb) -> None:
        """Never waits; lost if the engine is dead."""
        self._outbox.send(message)

    def messages(self) -> Iterator[FromEngine]:
        """What it says, until it ends or has been silent for too long."""
        while True:
            limit = self._patience.stall_s if self.ready else self._patience.load_s
            # The second look is for us: a process that was stopped finds its time used up.
            if not (self._connection.poll(limit) or self._connection.poll(0)):
                self.reason, self._lost = f"it said nothing for {limit:g} s", True
                return
            try:
                message = self._connection.recv()
            except (EOFError, OSError):
                return
            except Exception as error:
                self.reason = f"it said what nobody understands ({type(error).__name__}: {error})"
                self._lost = True
                return
            self.ready = self.ready or isinstance(message, Ready)
            self.progress = self.progress or isinstance(message, Step)
            if isinstance(message, Dying):
                self.reason, self.hopeless = message.reason, message.hopeless
            yield message

    def hang_up(self) -> None:
        """Let it end: `messages` ends too. For any thread."""
        # It may have been quicker.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        """End it, by force if need be; afterwards `reason` says why it ended."""
        self.hang_up()
        try:
            self._process.wait(0 if self._lost else END_S)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
        self._outbox.close()
        self._connection.close()
        self._socket.close()
        self.reason = self.reason or _how(self._process.returncode)


class Owner(Protocol):
    """Whom a supervisor tells what happens, in its own thread."""

    def began(self, life: Life) -> None: ...
    def heard(self, life: Life, message: FromEngine) -> None: ...
    def died(self, life: Life) -> None: ...
    def failed(self, reason: str) -> None: ...


class Supervisor:
    """Keeps an engine process running until told to stop, or until that proves hopeless."""

    def __init__(self, command: Sequence[str], patience: Patience, owner: Owner) -> None:
        self._command, self._patience, self._owner = command, patience, owner
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._life: Life | None = None
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the engine, for good. For any thread; does not wait."""
        self._stop.set()
        with self._lock:
            if self._life is not None:
                self._life.hang_up()

    def join(self, timeout: float) -> bool:
        """Wait for the end after `stop` or a failure; whether it came within `timeout` seconds."""
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        deaths = 0
        while not self._stop.is_set():
            try:
                life = self._live()
            except Exception as error:
                # No process, or a fault of ours: whoever runs this studio starts it anew.
                log.exception("No engine can be kept")
                self._owner.failed(f"no engine can be kept: {type(error).__name__}: {error}")
                return
            if self._stop.is_set():
                return
            deaths = 0 if life.steady else deaths + 1
            log.error("The engine (process %s) ended: %s", life.pid, life.reason)
            if life.hopeless or deaths == MOST_DEATHS:
                times = "" if life.hopeless else f"{deaths} engines in a row did nothing but end; the last: "
                self._owner.failed(times + life.reason)
                return
            self._owner.died(life)
            if deaths:
                self._stop.wait(min(self._patience.pause_s * 2 ** (deaths - 1), LONGEST_PAUSE_S))

    def _live(self) -> Life:
        """One engine, from start to end."""
        life = Life(self._command, self._patience)
        try:
            with self._lock:
                self._life = life
            if not self._stop.is_set():
                self._owner.began(life)
                for message in life.messages():
                    self._owner.heard(life, message)
        finally:
            with self._lock:
                self._life = None
            life.end()
        return life


def _how(code: int | None) -> str:
    """A process's end in words."""
    if code is not None and code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"

"""Studios that run for a test: in a thread, or as a process of their own."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import httpx
from prometheus_client import CollectorRegistry
from vibevoice.api import application
from vibevoice.api.limits import Limits
from vibevoice.api.metrics import registry
from vibevoice.engine import Engine
from vibevoice.server import Server
from vibevoice.settings import Settings
from vibevoice.studio import Studio
from vibevoice.ui.page import mount

PATIENCE_S = 120
# `make test-app THOROUGH=1`: more of the same, for whoever has the time.
THOROUGH = os.environ.get("VV_THOROUGH") == "1"
APP = Path(__file__).parents[2] / "app"
Answering = tuple[threading.Thread, list[httpx.Response]]


def wait_for(condition: Callable[[], bool]) -> None:
    """Until `condition` holds; fails after a time in which no machine is too slow."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def in_background(action: Callable[[], httpx.Response]) -> Answering:
    """Ask. When the thread ends, there is the answer."""
    answers: list[httpx.Response] = []
    thread = threading.Thread(target=lambda: answers.append(action()))
    thread.start()
    return thread, answers


def process_state(pid: int) -> str:
    """As the kernel has it: R, S, T (stopped), …; empty once it has ended, heard of or not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return ""
    return "" if state == "Z" else state


def memory(pid: int) -> int:
    """What a process has in memory, in bytes; 0 once it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except FileNotFoundError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def children(pid: int) -> list[int]:
    """The processes that a process has started, from any of its threads."""
    threads = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for thread in threads for child in thread.read_text().split()]


def engine_of(pid: int) -> int:
    """The engine's process among those of a studio, which starts encoders, too."""
    (engine,) = (
        child for child in children(pid) if b"vibevoice.engine" in Path(f"/proc/{child}/cmdline").read_bytes()
    )
    return engine


class Stopped:
    """An engine process that stands still, until `set` or the block's end."""

    def __init__(self, engine: Engine) -> None:
        assert engine.pid
        self.pid = engine.pid

    def __enter__(self) -> Self:
        os.kill(self.pid, signal.SIGSTOP)
        wait_for(lambda: process_state(self.pid) == "T")
        return self

    def __exit__(self, *_: object) -> None:
        self.set()

    def set(self) -> None:
        """Let it go on."""
        if process_state(self.pid):
            os.kill(self.pid, signal.SIGCONT)


class Running:
    """A studio in a thread, with a real server on a free port."""

    def __init__(self, settings: Settings, now: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self.studio = Studio.from_settings(settings, now)
        self.metrics: CollectorRegistry = registry(self.studio)
        self.server = Server(Limits(mount(application(self.studio), self.studio), self.studio), self.studio)
        self._thread = threading.Thread(target=self.server.run)

    def __enter__(self) -> Self:
        self._thread.start()
        wait_for(lambda: self.server.started)
        return self

    def __exit__(self, *_: object) -> None:
        self.server.handle_exit(15, None)
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.servers[0].sockets[0].getsockname()[1]}"

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path)


def free_ports() -> tuple[int, int]:
    """Two that nobody listens on."""
    with socket.socket() as one, socket.socket() as two:
        for sock in (one, two):
            sock.bind(("127.0.0.1", 0))
        return one.getsockname()[1], two.getsockname()[1]


class Process:
    """`python -m vibevoice` with an environment of its own."""

    def __init__(self, port: int, metrics_port: int, **variables: object) -> None:
        self.url, self.metrics_url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{metrics_port}"
        given = {f"VV_{name.upper()}": str(value) for name, value in variables.items()}
        # A file: nobody reads a pipe before the end, and a full one would stop the studio.
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, "-m", "vibevoice"],
            env={
                **os.environ,
                "PYTHONPATH": str(APP),
                "VV_HOST": "127.0.0.1",
                "VV_PORT": str(port),
                "VV_METRICS_PORT": str(metrics_port),
                "VV_DEVICE": "cpu",
                **given,
            },
            stderr=self._errors,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()

    def status(self, path: str) -> int:
        """Of a GET, 0 while nobody listens."""
        try:
            return httpx.get(self.url + path).status_code
        except httpx.TransportError:
            return 0

    def wait_until(self, path: str, status: int) -> None:
        wait_for(lambda: self.process.poll() is not None or self.status(path) == status)
        assert self.process.poll() is None, self.errors

    def says(self) -> dict[str, str | int]:
        """The studio's status; empty while nobody listens."""
        try:
            return httpx.get(f"{self.url}/health/ready").json()
        except httpx.TransportError:
            return {}

    def reach(self, engine: str) -> None:
        """Wait until its engine has this state."""
        wait_for(lambda: self.process.poll() is not None or self.says().get("engine") == engine)
        assert self.process.poll() is None, self.errors

    def submit(self, script: str, **fields: object) -> str:
        """A job's id."""
        answer = httpx.post(f"{self.url}/v1/jobs", json={"input": script, **fields}, timeout=60)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    def speak(self, script: str, until: str = "running", **fields: object) -> Answering:
        """Ask for speech; returns once it is `running`, or `waiting`."""
        order = {"model": "vibevoice", "input": script, "response_format": "wav", **fields}
        asked = in_background(lambda: httpx.post(f"{self.url}/v1/audio/speech", json=order, timeout=None))
        wait_for(lambda: self.says()[until] == 1)
        return asked

    def job(self, id: str) -> dict[str, Any]:
        return httpx.get(f"{self.url}/v1/jobs/{id}", timeout=60).raise_for_status().json()

    def end(self) -> tuple[int, str]:
        """Exit code and standard error, once it has ended by itself."""
        return self.process.wait(PATIENCE_S), self.errors

    @property
    def errors(self) -> str:
        """Its standard error so far."""
        # Where it writes next is not moved.
        return os.pread(self._errors.fileno(), 2**24, 0).decode(errors="replace")


def switches() -> int:
    """How often threads of this process have gone to sleep so far."""
    total = 0
    for task in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError):  # it has ended meanwhile
            total += int((task / "status").read_text().split("\nvoluntary_ctxt_switches:")[1].split()[0])
    return total

"""Doors as processes: `python -m door` on folders of the test's own, ended by their process ids."""

import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import httpx

PATIENCE_S = 60
APP = Path(__file__).parents[2] / "app"


def wait_for(condition: Callable[[], bool]) -> None:
    """Until `condition` holds; fails after a time in which no machine is too slow."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def environment(config: Path, data: Path, port: int | str = "") -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(APP),
        "PYTHONWARNINGS": "ignore",
        "DOOR_CONFIG": str(config),
        "DOOR_DATA": str(data),
        "DOOR_PORT": str(port),
    }


class Process:
    """`python -m door serve`, and a client that keeps its connections as the proxy does."""

    def __init__(self, config: Path, data: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "door", "serve"],
            env=environment(config, data, self.port),
            stderr=subprocess.PIPE,
            text=True,
        )
        self.client = httpx.Client(base_url=self.url, timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self.process.kill()
        self.process.communicate()

    def wait_until_it_serves(self) -> Self:
        wait_for(lambda: self.process.poll() is not None or self.status("/health") == 200)
        assert self.process.poll() is None, self.process.communicate()[1]
        return self

    def status(self, path: str, **headers: str) -> int:
        """Of a GET, 0 while nobody listens."""
        try:
            return self.client.get(path, headers=headers).status_code
        except httpx.TransportError:
            return 0

    def check(self, project: str = "podcast", **headers: str) -> int:
        """The status of a check; headers' names with _ for -."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.status(f"/check/{project}", **{"x-forwarded-for": "192.0.2.7", **given})

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> tuple[int, str]:
        """Exit code and standard error, once it has ended by itself."""
        _, errors = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, errors

    def fill_the_disk(self, full: bool = True) -> None:
        """No file of this process grows any more; or they do again."""
        _, hard = resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (0 if full else hard, hard))


def command(
    config: Path, data: Path, *arguments: str, port: int | str = ""
) -> subprocess.CompletedProcess[str]:
    """`python -m door …`, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "door", *arguments],
        env=environment(config, data, port),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )

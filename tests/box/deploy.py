"""Runs of `pyinfra … deploy.py`, as an operator starts them, with their log kept and every line timed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.box.lab import INVENTORY, REPO, REPORTS

PYINFRA = REPO / ".venv" / "bin" / "pyinfra"
# The longest run from bare hosts is 240 s by design; slower machines get their time.
LIMIT_S = 600.0
TAIL = 60
READ_ONLY = {f"ops/{name}.py" for name in ("drift", "logs", "smoke", "status")}


@dataclass(frozen=True)
class Line:
    """A line of a run's log, ``at`` seconds after its start."""

    at: float
    text: str


@dataclass(frozen=True)
class Run:
    """A run that ended."""

    code: int
    seconds: float
    stdout: str
    lines: tuple[Line, ...]
    log: Path

    @property
    def text(self) -> str:
        """Its messages."""
        return "\n".join(line.text for line in self.lines)

    @property
    def json(self) -> dict[str, Any]:
        """What it printed under --json."""
        assert self.stdout.strip(), f"no JSON from this run:\n{self.tail}"
        return json.loads(self.stdout)

    @property
    def tail(self) -> str:
        """The end of its log, for messages."""
        end = "\n".join(line.text for line in self.lines[-TAIL:])
        return f"exit code {self.code} after {self.seconds:.1f} s; {self.log}:\n…\n{end}"

    @property
    def changes(self) -> dict[str, list[str]]:
        """`{operation: hosts it changed}` of a run with --json -y."""
        operations = self.json["results"]["operations"]
        return {operation["name"]: operation["success"] for operation in operations if operation["success"]}

    def operations(self) -> list[tuple[str, float, float]]:
        """`(name, start, end)` of each operation in seconds since the run began, in order."""
        marker = "Starting operation: "
        starts = [(line.text.partition(marker)[2], line.at) for line in self.lines if marker in line.text]
        ends = [*(at for _, at in starts), self.seconds][1:]
        return [(name.strip(), at, end) for (name, at), end in zip(starts, ends, strict=True)]


class Deploy:
    """A run under way. ``log`` names its file below reports/; ``env`` is added to the environment.

    ``checkout`` is where it runs: this one, or a copy with changes.
    """

    # Whether the site is as the lab's inventory has it, as far as these tests know.
    declared = False

    def __init__(
        self,
        *arguments: str,
        inventory: Path = INVENTORY,
        log: str,
        env: Mapping[str, str] | None = None,
        operations: str = "deploy.py",
        checkout: Path = REPO,
    ) -> None:
        REPORTS.mkdir(exist_ok=True)
        if operations not in READ_ONLY and "--dry" not in arguments:
            Deploy.declared = False
        self._log = REPORTS / f"{log}.log"
        self._begin = time.monotonic()
        self._lines: list[Line] = []
        self._stdout: list[str] = []
        self._process = subprocess.Popen(
            [str(PYINFRA), str(inventory), operations, *arguments],
            cwd=checkout,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})},
        )
        self._readers = [
            threading.Thread(target=self._read_messages, daemon=True),
            threading.Thread(target=self._read_stdout, daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int:
        """Its process, which a lock names."""
        return self._process.pid

    def wait_for(self, seen: Callable[[str], bool], limit_s: float = LIMIT_S) -> None:
        """Return as soon as a line for which ``seen`` is true has been printed."""
        self._wait(lambda: any(seen(line.text) for line in list(self._lines)), limit_s)
        assert any(seen(line.text) for line in self._lines), f"ended, and never said it:\n{self.wait().tail}"

    def wait(self, limit_s: float = LIMIT_S) -> Run:
        """The run, once it has ended; killed, and an AssertionError, when it takes longer."""
        try:
            code = self._process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.stop()
            end = "\n".join(line.text for line in self._lines[-TAIL:])
            raise AssertionError(f"still running after {limit_s:.0f} s; {self._log}:\n…\n{end}") from None
        seconds = time.monotonic() - self._begin
        for reader in self._readers:
            reader.join(10)
        return Run(code, seconds, "".join(self._stdout), tuple(self._lines), self._log)

    def stop(self) -> None:
        """End the run and what it started."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _wait(self, condition: Callable[[], bool], limit_s: float) -> None:
        deadline = self._begin + limit_s
        while not condition() and self._process.poll() is None:
            assert time.monotonic() < deadline, f"not within {limit_s:.0f} s; {self._log}"
            time.sleep(0.05)

    def _read_messages(self) -> None:
        assert self._process.stderr
        with self._log.open("w") as log:
            for text in self._process.stderr:
                line = Line(time.monotonic() - self._begin, text.rstrip())
                self._lines.append(line)
                log.write(f"{line.at:8.2f} {line.text}\n")
                log.flush()

    def _read_stdout(self) -> None:
        assert self._process.stdout
        self._stdout.extend(self._process.stdout)


def deploy(
    *arguments: str, inventory: Path = INVENTORY, log: str, env: Mapping[str, str] | None = None
) -> Run:
    """Run to the end; AssertionError, with the end of the log, unless it ended with exit code 0."""
    run = Deploy(*arguments, inventory=inventory, log=log, env=env).wait()
    assert run.code == 0, run.tail
    if inventory == INVENTORY and not env and "-y" in arguments and "--limit" not in arguments:
        Deploy.declared = True
    return run


def as_declared() -> None:
    """The site is as the lab's inventory has it: by a run, unless the last one did just that."""
    if not Deploy.declared:
        deploy("-y", log="as-declared")

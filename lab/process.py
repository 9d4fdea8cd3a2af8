"""Long-running programs of the lab, without a service manager.

The machine may have no systemd, so every program gets a session of its own, a pid file that
names the process beyond doubt (pid, start time and boot), and a log file. Starting is idempotent:
a running program is left alone unless its command changed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.paths import LOGS, RUN

# Put before a command that works for a while: its mounts are its own, and it ends, with all it started,
# when it is done or when whoever waits for it ends. A killed run leaves files, no more.
ALONE = (
    *("setpriv", "--pdeathsig", "KILL"),
    *("unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc"),
)


class ProcessError(RuntimeError):
    """A program of the lab did not start, or did not end."""


def start(
    name: str,
    argv: Sequence[str],
    *,
    listens: tuple[str, int] | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    version: str = "",
    limit_s: float = 30.0,
) -> bool:
    """Run ``argv`` in the background under ``name`` unless it already runs.

    listens: address and TCP port to wait for before returning; env is added to the caller's.
    version: any string; the program is restarted when it, argv, env or cwd differ from the
    running one's (a hash of the configuration file, say).
    Returns True when something was started. Raises ProcessError, with the end of the log, when
    the program ends or does not listen within limit_s seconds.
    """
    spec = _spec(argv, env, cwd, version)
    if alive(name):
        if _pidfile(name)["spec"] == spec:
            return False
        stop(name)
    RUN.mkdir(parents=True, exist_ok=True)
    LOGS.mkdir(parents=True, exist_ok=True)
    if listens and _listening(listens):
        raise ProcessError(f"{name}: {listens[0]}:{listens[1]} is already taken by another program")
    with log_path(name).open("ab") as log:
        child = subprocess.Popen(
            list(argv), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True, cwd=cwd or "/", env={**os.environ, **(env or {})},
        )  # fmt: skip
    _write_pidfile(name, child.pid, spec)
    if listens:
        _await(name, listens, child, limit_s)
    return True


def stop(name: str, *, limit_s: float = 10.0) -> bool:
    """End the program ``name`` and everything in its session; False when it was not running.

    Asks first (SIGTERM), kills what is left after limit_s seconds.
    """
    if not alive(name):
        _pid_path(name).unlink(missing_ok=True)
        return False
    leader = _pidfile(name)["pid"]
    if not _signal_session(leader, signal.SIGTERM, limit_s) and not _signal_session(
        leader, signal.SIGKILL, 5.0
    ):
        raise ProcessError(f"{name}: process {leader} does not end, even after SIGKILL")
    _pid_path(name).unlink(missing_ok=True)
    return True


def alive(name: str) -> bool:
    """Whether the program started under ``name`` still runs (and is that very process)."""
    record = _pidfile(name)
    if not record or record["boot"] != _boot():
        return False
    stat = _stat(record["pid"])
    return stat is not None and stat["state"] != "Z" and stat["started"] == record["started"]


def pid(name: str) -> int | None:
    """Process id of the program ``name``, None when it does not run."""
    return _pidfile(name)["pid"] if alive(name) else None


def names() -> list[str]:
    """Every name that has a pid file, running or not."""
    return sorted(path.stem for path in RUN.glob("*.pid"))


def log_path(name: str) -> Path:
    """Where the output of the program ``name`` goes."""
    return LOGS / f"{name}.log"


def log_tail(name: str, lines: int = 15) -> str:
    """The last lines of the program's log, for error messages."""
    try:
        return "\n".join(log_path(name).read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return "(no log)"


def wait_until(condition, limit_s: float, interval_s: float = 0.1) -> bool:
    """Call ``condition`` until it is true or limit_s seconds have passed; returns its last answer."""
    deadline = time.monotonic() + limit_s
    while not (answer := bool(condition())) and time.monotonic() < deadline:
        time.sleep(interval_s)
    return answer


def _await(name: str, address: tuple[str, int], child: subprocess.Popen, limit_s: float) -> None:
    if wait_until(lambda: child.poll() is not None or _listening(address), limit_s) and child.poll() is None:
        return
    ended = child.poll()
    what = f"ended with {ended}" if ended is not None else f"does not listen after {limit_s:.0f} s"
    tail = log_tail(name)
    stop(name)
    raise ProcessError(f"{name} {what} ({address[0]}:{address[1]}). End of {log_path(name)}:\n{tail}")


def _listening(address: tuple[str, int]) -> bool:
    try:
        with socket.create_connection(address, timeout=1.0):
            return True
    except OSError:
        return False


def _signal_session(leader: int, number: int, limit_s: float) -> bool:
    """Signal every process of the session; True once none is left."""
    for member in _session(leader):
        with contextlib.suppress(ProcessLookupError):
            os.kill(member, number)
    return wait_until(lambda: not _session(leader), limit_s)


def _session(leader: int) -> list[int]:
    """Living processes of the session that ``leader`` opened; reaps our own dead child on the way."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(leader, os.WNOHANG)
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    stats = ((p, _stat(p)) for p in pids)
    return [p for p, stat in stats if stat and stat["session"] == leader and stat["state"] != "Z"]


def _stat(process: int) -> dict | None:
    try:
        text = Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()  # the name may hold blanks and brackets
    return {"state": fields[0], "session": int(fields[3]), "started": int(fields[19])}


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _spec(argv: Sequence[str], env: Mapping[str, str] | None, cwd: Path | None, version: str) -> str:
    whole = json.dumps([list(argv), dict(env or {}), str(cwd), version], sort_keys=True)
    return hashlib.sha256(whole.encode()).hexdigest()


def _pid_path(name: str) -> Path:
    return RUN / f"{name}.pid"


def _pidfile(name: str) -> dict:
    try:
        return json.loads(_pid_path(name).read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}


def _write_pidfile(name: str, process: int, spec: str) -> None:
    stat = _stat(process)
    record = {"pid": process, "started": stat["started"] if stat else 0, "boot": _boot(), "spec": spec}
    temporary = _pid_path(name).with_suffix(".new")
    temporary.write_text(json.dumps(record))
    temporary.replace(_pid_path(name))

"""`python -m vibevoice.engine`: the process that owns a GPU. The web process starts it; see supervisor.py."""

import argparse
import ctypes
import logging
import os
import queue
import signal
import sys
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NoReturn

from .. import logs
from . import cores, gpu_lock
from .generation import CheckpointError, Refused
from .messages import CANNOT_BEGIN, DEVICE_LOST, ENDED, Dying, FromWeb, Ready, Waiting
from .outbox import Outbox

log = logging.getLogger("vibevoice.engine")
PR_SET_PDEATHSIG = 1
FLUSH_S = 5.0


def main() -> NoReturn:
    """Speak what comes through the inherited socket, until it is closed."""
    options = _options()
    _die_with_parent()
    # A terminal's Ctrl-C goes to all its processes; it is the web process that decides what becomes of this.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logs.configure(os.environ.get(logs.VARIABLE))
    connection = Connection(options.fd)
    inbox: queue.SimpleQueue[FromWeb] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(connection, inbox), name="inbox", daemon=True).start()
    outbox = Outbox(connection)
    try:
        _serve(options, inbox, outbox)
    except (CheckpointError, Refused, gpu_lock.LockError) as error:
        _end(outbox, Dying(str(error), hopeless=True), CANNOT_BEGIN)
    except BaseException as error:
        log.exception("The engine ends")
        _end(outbox, Dying(f"{type(error).__name__}: {error}", hopeless=False), DEVICE_LOST)


def _serve(options: argparse.Namespace, inbox: "queue.SimpleQueue[FromWeb]", outbox: Outbox) -> NoReturn:
    began = time.monotonic()
    # Seconds of imports: a web process that has gone in the meantime is noticed.
    import torch

    from .batch import Batch
    from .checkpoint import choose, gpu_uuid, load
    from .probe import speak
    from .scheduler import Scheduler

    imported = time.monotonic()
    device = choose(options.device)
    if options.lock_dir is not None:
        name = gpu_uuid(device) or f"slot-{options.slot}"
        _take_gpu(options.lock_dir / f"{name}.lock", outbox)
    locked = time.monotonic()
    checkpoint = load(options.model_dir, str(device), options.dtype and getattr(torch, options.dtype))
    loaded = time.monotonic()
    try:
        batch = Batch(checkpoint, options.streams, options.kv_bytes, options.steps, options.solver)
    except ValueError as error:
        # Memory, solver or steps: the settings', or the checkpoint's own.
        raise CheckpointError(str(error)) from error
    built = time.monotonic()
    speak(batch)
    log.info(
        "Ready on %s: imports %.1f s, waited %.1f s for the GPU, weights %.1f s, memory and graphs %.1f s, "
        "a first word %.1f s",
        device, imported - began, locked - imported, loaded - locked, built - loaded,
        time.monotonic() - built,
    )  # fmt: skip
    ready = Ready(
        weights=batch.weights,
        device=str(device),
        sample_rate=batch.sample_rate,
        slots=batch.slots,
        steps=batch.steps,
        kv_tokens=batch.kv_tokens,
    )
    if device.type == "cpu":
        cores.give_way()
    outbox.send(ready)
    scheduler = Scheduler(batch, inbox, outbox)
    while True:
        scheduler.turn()


def _take_gpu(path: Path, outbox: Outbox) -> None:
    """Wait for the GPU's lock, which stays taken until this process ends."""
    told = 0.0

    def tell() -> None:
        nonlocal told
        if time.monotonic() - told >= 1:
            if not told:
                log.info("Waiting for the GPU: another process holds %s", path)
            told = time.monotonic()
            outbox.send(Waiting(str(path)))

    gpu_lock.take(path, tell)


def _read(connection: Connection, inbox: "queue.SimpleQueue[FromWeb]") -> None:
    """Pass on what the web process says; without it there is nobody left to speak for."""
    try:
        while True:
            inbox.put(connection.recv())
    except (EOFError, OSError):
        # From here, for the main thread may be deep in a kernel. There is nothing to put in order: what has
        # been spoken is the web process's, and the kernel takes back lock and memory.
        os._exit(ENDED)


def _end(outbox: Outbox, last: Dying, code: int) -> NoReturn:
    outbox.send(last)
    outbox.flushed(FLUSH_S)
    logging.shutdown()
    # An interpreter that tidies up would wait for a device that is lost.
    os._exit(code)


def _die_with_parent() -> None:
    """However the web process ends, and should the socket have got into other hands, this one ends too."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m vibevoice.engine", description="Speak for a studio.")
    parser.add_argument("--fd", type=int, required=True, help="the socket to the web process")
    parser.add_argument("--model-dir", type=Path, required=True, help="the checkpoint")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--slot", type=int, default=0, help="names the lock of a CPU")
    parser.add_argument("--lock-dir", type=Path, help="folder of lock files; without one nobody shares a GPU")
    parser.add_argument("--streams", type=int, default=8, help="at once")
    parser.add_argument("--steps", type=int, help="denoising steps for each frame")
    parser.add_argument("--solver", help="dpmsolver++ or sde-dpmsolver++")
    parser.add_argument("--kv-bytes", type=int, help="memory for keys and values, in bytes")
    parser.add_argument("--dtype", choices=["bfloat16", "float32", "float64"], help="of all numbers")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

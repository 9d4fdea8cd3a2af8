"""One engine on a GPU at a time, also where two containers share it for the moment of a hand-over."""

import time
from collections.abc import Callable
from pathlib import Path

from ..lock_file import open_lock, try_lock

POLL_S = 0.1


class LockError(Exception):
    """The lock file cannot be made; one line: where, why, what to do."""


def take(path: Path, wait: Callable[[], None] = lambda: None) -> int:
    """Wait until the lock file is ours, calling `wait` about ten times a second as long as it is another's.

    Returns the descriptor that holds it: the kernel releases it when this process ends, however it ends.
    Raises LockError if the file cannot be made.
    """
    try:
        descriptor = open_lock(path)
    except OSError as error:
        reason = error.strerror
        raise LockError(f"{path}: the GPU's lock cannot be made ({reason}). Check VV_LOCK_DIR.") from error
    while not try_lock(descriptor):
        wait()
        time.sleep(POLL_S)
    return descriptor

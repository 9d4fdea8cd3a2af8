"""One generation on a GPU at a time, also where two containers share it for the moment of a hand-over."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..lock_file import open_lock, try_lock
from .generation import Cancelled

POLL_S = 0.1


class GpuLock:
    """A lock file that the kernel releases when its holder dies, however it dies."""

    def __init__(self, path: Path | None) -> None:
        """Without a path there is nobody to share with, and nothing is locked.

        Raises OSError if the file cannot be made: now, and not in the middle of the first generation.
        """
        self.path = path
        if path is not None:
            os.close(open_lock(path))

    @contextmanager
    def hold(self, cancelled: Callable[[], bool]) -> Iterator[None]:
        """Wait for the GPU and keep it. Raises Cancelled when that is asked for while waiting."""
        if self.path is None:
            yield
            return
        descriptor = open_lock(self.path)
        try:
            while not try_lock(descriptor):
                if cancelled():
                    raise Cancelled("cancelled while waiting for the GPU")
                time.sleep(POLL_S)
            yield
        finally:
            os.close(descriptor)

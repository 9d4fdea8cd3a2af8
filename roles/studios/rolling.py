"""On so many nodes at once one studio is replaced, and none after one that failed.

All hosts run in one process, each in its own greenlet; pyinfra's `_serial` would go on after a failure.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from gevent.lock import BoundedSemaphore


class Stopped(Exception):
    """Another host's studio failed to come back; its host is the message."""


_failed_on: list[str] = []


@cache
def _turns(at_once: int) -> BoundedSemaphore:
    return BoundedSemaphore(at_once)


@contextmanager
def turn(host: str, at_once: int) -> Iterator[None]:
    """Wait for this host's turn. Leaving the block in any other way than its end stops all that wait.

    pyinfra closes an operation whose command has failed, which leaves the block by GeneratorExit.

    Args:
        at_once: hosts whose turn it may be at the same time.

    Raises:
        Stopped: it was stopped already.
    """
    with _turns(at_once):
        if _failed_on:
            raise Stopped(_failed_on[0])
        try:
            yield
        except BaseException:
            _failed_on.append(host)
            raise

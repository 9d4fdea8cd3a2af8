"""Hosts take turns in a given order, and none after one that failed.

All hosts run in one process, each in its own greenlet; pyinfra's `_serial` knows no order and goes on after a
failure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from gevent.event import Event


class Stopped(Exception):
    """An earlier host failed; it is the message."""


class Turns:
    """One round of turns, in the order of `hosts`."""

    def __init__(self, hosts: Sequence[str]) -> None:
        self._hosts = list(hosts)
        self._over = {host: Event() for host in hosts}
        self._failed: list[str] = []

    @contextmanager
    def turn(self, host: str) -> Iterator[None]:
        """Wait until every host before this one is through; an exception stops all that come after.

        Raises:
            Stopped: one before it has failed.
        """
        try:
            for earlier in self._hosts[: self._hosts.index(host)]:
                self._over[earlier].wait()
            if self._failed:
                raise Stopped(self._failed[0])
            yield
        except BaseException:
            self._failed.append(host)
            raise
        finally:
            self._over[host].set()

"""A reader that is slow, or gone, holds nobody up."""

import socket
from collections.abc import Iterator
from multiprocessing.connection import Connection

import pytest
from running import PATIENCE_S
from vibevoice.engine.outbox import Outbox

# More than any socket's buffer.
BULKY = b"a frame" * 2**20


@pytest.fixture
def ends() -> Iterator[tuple[Connection, Connection]]:
    """The two ends of a connection."""
    one, other = (Connection(end.detach()) for end in socket.socketpair())
    yield one, other
    for end in (one, other):
        if not end.closed:
            end.close()


def test_messages_are_handed_over_while_nobody_reads(ends: tuple[Connection, Connection]) -> None:
    outbox = Outbox(ends[0])
    for number in range(10):
        outbox.send((number, BULKY), frames=100)
    assert not outbox.drained(500, timeout=0)
    assert not outbox.flushed(timeout=0)
    assert [ends[1].recv()[0] for _ in range(10)] == list(range(10))
    assert outbox.drained(0, PATIENCE_S)
    assert outbox.flushed(PATIENCE_S)


def test_what_is_sent_to_nobody_is_lost_without_an_error(ends: tuple[Connection, Connection]) -> None:
    outbox = Outbox(ends[0])
    ends[1].close()
    for _ in range(10):
        outbox.send(BULKY, frames=1)
    assert outbox.flushed(PATIENCE_S)
    assert outbox.drained(0, PATIENCE_S)

"""What the studios of a project count together is exact, and outlives whoever counted it."""

import logging
import resource
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from door_keeper import Clock
from running import APP, wait_for
from vibevoice.counters import MinutesUsed, Streams, TooManyStreams, Usage

HOLD_ALL = """
import sys
from contextlib import ExitStack
from pathlib import Path
from vibevoice.counters import Streams, TooManyStreams

streams, wanted, limit, held = Streams(Path(sys.argv[1])), int(sys.argv[2]), int(sys.argv[3]), 0
print("ready", flush=True)
sys.stdin.readline()
with ExitStack() as stack:
    for _ in range(wanted):
        try:
            stack.enter_context(streams.hold(limit))
            held += 1
        except TooManyStreams:
            pass
    print(held, flush=True)
    sys.stdin.readline()
"""

SPEAK = """
import sys
from pathlib import Path
from vibevoice.counters import Usage

usage = Usage(Path(sys.argv[1]), lambda: float(sys.argv[2]))
print("ready", flush=True)
sys.stdin.readline()
for _ in range(200):
    usage.add(1.5)
"""


class Other:
    """Another studio's process."""

    def __init__(self, program: str, *arguments: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, *map(str, arguments)],
            env={"PYTHONPATH": str(APP)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.hear() == "ready"

    def tell(self) -> None:
        assert self.process.stdin
        self.process.stdin.write("go on\n")
        self.process.stdin.flush()

    def hear(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()


@pytest.fixture
def other() -> Iterator[Callable[..., Other]]:
    """Start another process; whatever is left of it ends with the test."""
    with ExitStack() as stack:

        def start(*arguments: object) -> Other:
            started = Other(*map(str, arguments))
            stack.enter_context(started.process)
            stack.callback(started.process.kill)
            return started

        yield start


def hold_all(streams: Streams, stack: ExitStack, limit: int) -> int:
    """Hold as many streams as there are; their number."""
    held = 0
    try:
        while True:
            stack.enter_context(streams.hold(limit))
            held += 1
    except TooManyStreams:
        return held


@pytest.fixture(params=["together", "alone"])
def streams(request: pytest.FixtureRequest, tmp_path: Path) -> Streams:
    return Streams(tmp_path / "streams" if request.param == "together" else tmp_path / "gone" / "streams")


@pytest.mark.parametrize("limit", [0, 1, 5])
def test_as_many_streams_as_allowed_are_held(streams: Streams, limit: int) -> None:
    for _ in range(2):
        with ExitStack() as stack:
            assert hold_all(streams, stack, limit) == limit


def test_a_stream_that_ends_badly_gives_its_place_back(streams: Streams) -> None:
    with pytest.raises(RuntimeError), streams.hold(1):
        raise RuntimeError
    with streams.hold(1):
        pass


def test_who_is_refused_is_told_the_limit_and_when_to_come_back(streams: Streams) -> None:
    with streams.hold(1), pytest.raises(TooManyStreams, match=r"\b1\b.*wait") as caught, streams.hold(1):
        pass
    assert (caught.value.code, caught.value.retry_after_s) == ("too_many_streams", 2)


def test_two_processes_that_begin_together_never_hold_more_than_allowed(
    other: Callable[..., Other], tmp_path: Path
) -> None:
    both = [other(HOLD_ALL, tmp_path, 40, 40) for _ in range(2)]
    for process in both:
        process.tell()
    assert sum(int(process.hear()) for process in both) == 40


def test_a_killed_process_gives_its_streams_back(other: Callable[..., Other], tmp_path: Path) -> None:
    holder = other(HOLD_ALL, tmp_path, 2, 3)
    holder.tell()
    assert holder.hear() == "2"
    with ExitStack() as stack:
        assert hold_all(Streams(tmp_path), stack, 3) == 1
        holder.process.kill()
        holder.process.wait()
        assert hold_all(Streams(tmp_path), stack, 3) == 2


def test_a_folder_that_cannot_be_used_leaves_each_process_its_own_count(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "gone" / "streams"
    streams = Streams(folder)
    with ExitStack() as stack:
        assert hold_all(streams, stack, 3) == 3
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    folder.parent.mkdir()
    with ExitStack() as stack:
        assert hold_all(streams, stack, 3) == 3
        assert hold_all(Streams(folder), stack, 3) == 0


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_seconds_add_up_and_survive_a_restart(tmp_path: Path, clock: Clock) -> None:
    for _ in range(2):
        usage = Usage(tmp_path / "usage.db", clock)
        usage.add(30)
        usage.add(15.5)
    assert Usage(tmp_path / "usage.db", clock).seconds() == 91


def test_at_midnight_utc_a_new_day_begins_and_the_old_one_stays_on_record(
    tmp_path: Path, clock: Clock
) -> None:
    usage = Usage(tmp_path / "usage.db", clock)
    clock.now += 12 * 3600 - 0.5
    usage.add(60)
    with pytest.raises(MinutesUsed, match=r"\b1 minutes.*midnight UTC") as caught:
        usage.check(1)
    assert (caught.value.code, caught.value.retry_after_s) == ("daily_minutes_used", 1)
    clock.now += 1
    usage.check(1)
    usage.add(7)
    with sqlite3.connect(tmp_path / "usage.db") as database:
        days = database.execute("SELECT day, seconds FROM speech ORDER BY day").fetchall()
    assert days == [("2023-11-15", 60), ("2023-11-16", 7)]


def test_who_has_used_the_day_up_is_told_how_long_it_still_is(tmp_path: Path, clock: Clock) -> None:
    with pytest.raises(MinutesUsed) as caught:
        Usage(tmp_path / "usage.db", clock).check(0)
    assert caught.value.retry_after_s == 12 * 3600


def test_two_processes_lose_no_second(other: Callable[..., Other], tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "usage.db"
    both = [other(SPEAK, path, clock.now) for _ in range(2)]
    for process in both:
        process.tell()
    for process in both:
        assert process.process.wait() == 0
    assert Usage(path, clock).seconds() == 2 * 200 * 1.5


def test_readers_need_not_wait_for_a_writer(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "usage.db"
    usage = Usage(path, clock)
    usage.add(5)
    with sqlite3.connect(path, isolation_level=None) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert usage.seconds() == 5
        writer.execute("ROLLBACK")


def test_what_another_holds_up_is_written_with_the_next(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "usage.db"
    usage = Usage(path, clock)
    usage.add(5)
    with sqlite3.connect(path, isolation_level=None) as writer:
        writer.execute("BEGIN IMMEDIATE")
        usage.add(6)
        writer.execute("ROLLBACK")
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert usage.seconds() == 11
    usage.add(7)
    assert Usage(path, clock).seconds() == 18


def a_folder(path: Path) -> None:
    path.mkdir()


def no_database(path: Path) -> None:
    path.write_bytes(b"This is no database. " * 1000)


def another_table(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE speech (something)")


@pytest.mark.parametrize("spoil", [a_folder, no_database, another_table])
def test_a_file_that_cannot_be_read_refuses_nobody(
    spoil: Callable[[Path], None], tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "usage.db"
    spoil(path)
    usage = Usage(path, clock)
    for _ in range(3):
        usage.add(600)
        usage.check(1)
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert str(path) in caplog.text


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """No file of this process may grow beyond `size` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_keeps_nobody_from_speaking_and_loses_nothing(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    usage = Usage(tmp_path / "usage.db", clock)
    with full_disk(100):
        usage.add(600)
        usage.check(1)
    assert caplog.records
    usage.add(60)
    assert Usage(tmp_path / "usage.db", clock).seconds() == 660


def test_threads_share_one_usage(tmp_path: Path, clock: Clock) -> None:
    usage = Usage(tmp_path / "usage.db", clock)
    threads = [threading.Thread(target=usage.add, args=(1,)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_for(lambda: usage.seconds() == 20)

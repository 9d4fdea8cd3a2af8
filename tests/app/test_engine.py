"""One generation at a time, in order, and nobody waits for one that was given up."""

import threading
from collections.abc import Iterator
from concurrent.futures import wait
from pathlib import Path

import pytest
from running import wait_for
from vibevoice.engine import Cancelled, Engine, Event, Generation, NotReady, QueueFull
from vibevoice.engine.gpu_lock import GpuLock
from vibevoice.script import parse

HELLO = Generation(parse("Speaker 1: Hello.").turns, seed=1)


@pytest.fixture
def engines(checkpoint: Path, tmp_path: Path) -> Iterator[list[Engine]]:
    """Two engines that share a GPU; whichever a test starts is ended after it."""
    pair = [Engine(checkpoint, "cpu", slot=2, lock_dir=tmp_path, max_waiting=2) for _ in range(2)]
    yield pair
    for engine in pair:
        if engine.state != "loading":
            engine.cancel_all()
            engine.close()
            assert engine.join(60)


@pytest.fixture
def engine(engines: list[Engine]) -> Engine:
    return engines[0]


def ready(engine: Engine) -> Engine:
    engine.start()
    wait_for(lambda: engine.state == "ready")
    return engine


def test_nothing_is_taken_before_the_model_is_loaded(engine: Engine) -> None:
    with pytest.raises(NotReady, match="loading"):
        engine.submit(HELLO)


def test_generations_run_one_after_another_in_order(engine: Engine) -> None:
    happened: list[tuple[str, int]] = []
    order: dict[int, int] = {}

    def note(event: Event) -> None:
        if event.stream:
            number = order.setdefault(id(event.stream), len(order))
            happened.append((event.kind, number))

    ready(engine).listen(note)
    streams = [engine.submit(HELLO) for _ in range(3)]
    wait([stream.future for stream in streams])
    running = [entry for entry in happened if entry[0] != "submitted"]
    assert running == [(kind, number) for number in range(3) for kind in ("started", "finished")]
    assert len({len(stream.future.result().samples) for stream in streams}) == 1


def test_a_full_queue_refuses(engine: Engine, tmp_path: Path) -> None:
    with GpuLock(tmp_path / "slot-2.lock").hold(lambda: False):
        ready(engine)
        streams = [engine.submit(HELLO) for _ in range(3)]
        with pytest.raises(QueueFull):
            engine.submit(HELLO)
        assert (engine.running, engine.waiting) == (0, 3)
    wait([stream.future for stream in streams])


def test_two_engines_never_speak_on_one_gpu_at_once(engines: list[Engine]) -> None:
    lock, at_work, most = threading.Lock(), 0, 0

    def note(event: Event) -> None:
        nonlocal at_work, most
        with lock:
            at_work += {"started": 1, "finished": -1}.get(event.kind, 0)
            most = max(most, at_work)

    for engine in engines:
        engine.listen(note)
        ready(engine)
    streams = [engine.submit(HELLO) for _ in range(3) for engine in engines]
    wait([stream.future for stream in streams])
    assert all(stream.future.result().frames for stream in streams)
    assert most == 1


def test_a_stream_given_up_while_it_waits_never_starts(engine: Engine, tmp_path: Path) -> None:
    with GpuLock(tmp_path / "slot-2.lock").hold(lambda: False):
        ready(engine)
        stream = engine.submit(HELLO)
        stream.cancel()
        with pytest.raises(Cancelled):
            stream.future.result()
        assert stream.started is None


def test_closing_finishes_what_is_there_and_takes_no_more(engine: Engine) -> None:
    ready(engine)
    streams = [engine.submit(HELLO) for _ in range(2)]
    engine.close()
    with pytest.raises(NotReady, match="closed"):
        engine.submit(HELLO)
    assert all(stream.future.result().frames for stream in streams)
    assert engine.join(60)


def test_one_bad_generation_does_not_stop_the_next(engine: Engine) -> None:
    broken = Generation(HELLO.turns, steps=-1)
    stream = ready(engine).submit(broken)
    assert stream.future.exception() is not None
    assert engine.state == "ready"
    assert engine.submit(HELLO).future.result().frames


def test_a_missing_checkpoint_is_a_failed_engine(tmp_path: Path) -> None:
    engine = Engine(tmp_path, "cpu", slot=0, lock_dir=None, max_waiting=2)
    engine.start()
    wait_for(lambda: engine.state == "failed")
    with pytest.raises(NotReady, match="failed"):
        engine.submit(HELLO)


def test_a_lock_that_cannot_be_taken_is_a_failed_engine(checkpoint: Path, tmp_path: Path) -> None:
    engine = Engine(checkpoint, "cpu", slot=0, lock_dir=tmp_path / "missing", max_waiting=2)
    engine.start()
    wait_for(lambda: engine.state == "failed")

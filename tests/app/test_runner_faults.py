"""Whatever goes wrong around a job that is being spoken, it goes on behind what there is, by whoever can."""

import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from engines import exact, reach, stand_in, started
from jobbing import Gate, assert_undisturbed, at_work, ended, spoken_some, submitted, talk
from running import Stopped, wait_for
from vibevoice.engine import Engine, Setup
from vibevoice.jobs.model import Job, RunnerState
from vibevoice.jobs.runner import Runner
from vibevoice.jobs.store import Store

LEASE_S = 1.0


@pytest.fixture(scope="module")
def setup(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Setup:
    locks = tmp_path_factory.mktemp("locks")
    return exact(checkpoint, locks)


@pytest.fixture(scope="module")
def shared(setup: Setup) -> Iterator[Engine]:
    with started(setup) as engine:
        yield engine
        assert engine.idle


@pytest.fixture
def engine(shared: Engine) -> Engine:
    shared.wake()
    reach(shared, "ready")
    return shared


def pieces(job: Job) -> int:
    """Under how many leases its segments were spoken, in all."""
    return sum(len(segment.heard.pieces) for segment in job.segments if segment.heard)


def test_an_engine_that_is_killed_costs_a_job_time_alone(store: Store, engine: Engine) -> None:
    with at_work(store, engine) as work:
        job = work.submit(talk(2))
        spoken_some(store, job, 1)
        assert engine.pid
        os.kill(engine.pid, signal.SIGKILL)
        done = ended(store, job)
    assert pieces(done) == 2
    assert_undisturbed(store, engine, job)


def test_an_engine_that_hangs_for_longer_than_the_lease_costs_no_job(store: Store, engine: Engine) -> None:
    with at_work(store, engine, lease_s=LEASE_S) as work:
        job = work.submit(talk(1))
        spoken_some(store, job)
        with Stopped(engine):
            time.sleep(2 * LEASE_S)
            assert not store.claim("another", LEASE_S, 1)
        done = ended(store, job)
    assert pieces(done) == 1
    assert_undisturbed(store, engine, job)


def test_jobs_of_an_engine_that_fails_wait_for_another(store: Store, engine: Engine) -> None:
    with stand_in("gives up") as failing, at_work(store, failing, "failing") as work:
        reach(failing, "ready")
        job = work.submit(talk(1))
        spoken_some(store, job)
        wait_for(lambda: failing.state == "failed" and work.running == 0)
        waiting = store.get(job.id)
        assert (waiting.state, waiting.reason) == ("queued", "")
        work.poke()
        time.sleep(0.5)
        assert store.waiting() == 1
    with at_work(store, engine):
        ended(store, job)
    assert_undisturbed(store, engine, job)


@pytest.mark.thorough
def test_a_job_goes_where_the_gpu_goes(store: Store, engine: Engine, setup: Setup) -> None:
    with started(setup) as heir, at_work(store, engine, "one") as one, at_work(store, heir, "two") as two:
        reach(heir, "waiting")
        job = one.submit(talk(3))
        spoken_some(store, job)
        assert two.running == 0
        assert engine.pid
        os.kill(engine.pid, signal.SIGKILL)
        # Whoever has waited longer has the lock before a new process has begun.
        reach(heir, "ready")
        ended(store, job)
        assert [event.kind for event in two.events if event.job.id == job.id][-1] == "ended"
    assert_undisturbed(store, heir if heir.state == "ready" else engine, job)


def test_who_stood_still_beyond_the_lease_has_lost_the_job_and_changes_nothing(
    store: Store, engine: Engine
) -> None:
    gate = Gate()
    with at_work(store, engine, "one", lease_s=LEASE_S, spoken=gate) as one:
        job = one.submit(talk(2))
        spoken_some(store, job)
        gate.shut()
        assert gate.closed.wait(60)
        # The first engine stream of the one that stands still goes on; nobody hears of it.
        with at_work(store, engine, "two", lease_s=LEASE_S) as two:
            wait_for(lambda: two.running == 1)
            spoken = store.get(job.id).audio_s
            gate.open()
            wait_for(lambda: one.running == 0)
            done = ended(store, job)
            assert done.audio_s > spoken
            assert one.kinds(job)[-1] != "ended"
    assert_undisturbed(store, engine, job)


def test_who_stood_still_and_was_missed_by_nobody_goes_on(store: Store, engine: Engine) -> None:
    gate = Gate()
    with at_work(store, engine, lease_s=LEASE_S, spoken=gate) as work:
        jobs = [work.submit(talk(2, seed=seed)) for seed in range(2)]
        for job in jobs:
            spoken_some(store, job)
        gate.shut()
        assert gate.closed.wait(60)
        time.sleep(1.5 * LEASE_S)
        gate.open()
        for job in jobs:
            ended(store, job)
    for job in jobs:
        assert_undisturbed(store, engine, job)


@pytest.mark.thorough
def test_a_store_that_is_locked_for_long_costs_time_alone(store: Store, engine: Engine) -> None:
    with at_work(store, engine, lease_s=60) as work:
        job = work.submit(talk(2))
        spoken_some(store, job)
        other = sqlite3.connect(store.folder / "jobs.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        wait_for(lambda: work.runner.paused == "store_failed")
        other.execute("ROLLBACK")
        other.close()
        done = ended(store, job)
        assert work.runner.paused == ""
    assert pieces(done) == 2
    assert_undisturbed(store, engine, job)


def test_without_a_store_for_longer_than_the_lease_a_job_is_let_go(store: Store, engine: Engine) -> None:
    with at_work(store, engine, lease_s=LEASE_S) as work:
        job = work.submit(talk(2))
        spoken_some(store, job)
        other = sqlite3.connect(store.folder / "jobs.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        wait_for(lambda: work.running == 0)
        assert engine.idle
        other.execute("ROLLBACK")
        other.close()
        ended(store, job)
    assert_undisturbed(store, engine, job)


def test_a_drained_runner_hands_a_job_over_where_it_stands(store: Store, engine: Engine) -> None:
    with at_work(store, engine, "one") as one:
        job = one.submit(talk(2))
        spoken_some(store, job)
        began = time.monotonic()
        one.drain(60)
        assert time.monotonic() - began < 5
        assert engine.idle
        assert store.get(job.id).state == "queued"
        one.poke()
    late = submitted(store, talk(1))
    with at_work(store, engine, "two"):
        done = ended(store, job)
        ended(store, late)
    assert pieces(done) == 3
    assert_undisturbed(store, engine, job)


def test_while_it_drains_speech_is_spoken_to_its_end(store: Store, engine: Engine) -> None:
    with at_work(store, engine, lease_s=LEASE_S) as work:
        speech, job = work.submit(talk(1, kind="speech")), work.submit(talk(1))
        spoken_some(store, speech)
        spoken_some(store, job)
        work.drain(60)
        assert (store.get(speech.id).state, store.get(job.id).state) == ("done", "queued")
    assert_undisturbed(store, engine, speech)


def test_a_drain_has_an_end_though_the_engine_hangs(store: Store, engine: Engine) -> None:
    with at_work(store, engine) as work:
        speech = work.submit(talk(1, kind="speech"))
        spoken_some(store, speech)
        with Stopped(engine):
            work.drain(0.5)
        assert store.get(speech.id).state == "queued"
    with at_work(store, engine):
        ended(store, speech)
    assert_undisturbed(store, engine, speech)


def test_a_drain_has_an_end_though_the_store_is_gone(store: Store, engine: Engine) -> None:
    with at_work(store, engine) as work:
        job = work.submit(talk(1))
        spoken_some(store, job)
        other = sqlite3.connect(store.folder / "jobs.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        work.drain(0)
        assert time.monotonic() - began < 15
        other.execute("ROLLBACK")
        other.close()
    assert engine.idle


def test_a_runner_that_never_began_or_never_had_an_engine_drains_at_once(store: Store, setup: Setup) -> None:
    engine = Engine(setup, max_waiting=0)
    Runner(store, engine, name="never", slot=0).drain(60)
    with at_work(store, engine) as work:
        work.drain(60)


@pytest.mark.thorough
def test_without_jobs_the_engine_sleeps_and_a_job_wakes_it(store: Store, engine: Engine) -> None:
    with at_work(store, engine, idle_s=0.3) as work:
        wait_for(lambda: engine.state == "asleep")
        wait_for(lambda: [state.streams for state in store.runners()] == [0])
        job = work.submit(talk(1))
        wait_for(lambda: engine.state == "loading")
        assert ended(store, job).state == "done"
        wait_for(lambda: engine.state == "asleep")
    engine.wake()
    reach(engine, "ready")
    assert_undisturbed(store, engine, job)


@pytest.mark.thorough
def test_a_job_that_another_runner_has_room_for_wakes_nobody(store: Store, engine: Engine) -> None:
    engine.sleep()
    store.beat(RunnerState("other", 1, "ready", 2, 1, 1.0))
    with at_work(store, engine, idle_s=0.3) as work:
        job = work.submit(talk(1))
        time.sleep(2)
        assert engine.state == "asleep"
        store.beat(RunnerState("other", 1, "ready", 2, 2, 1.0))
        work.poke()
        ended(store, job)


def test_a_job_of_a_dead_runner_wakes_the_engine(store: Store, engine: Engine) -> None:
    engine.sleep()
    job = submitted(store, talk(1))
    store.claim("dead", LEASE_S, 1)
    with at_work(store, engine):
        ended(store, job)
    assert_undisturbed(store, engine, job)


def test_an_engine_that_nobody_wants_to_sleep_does_not(store: Store, engine: Engine) -> None:
    with at_work(store, engine, idle_s=float("inf")) as work:
        job = work.submit(talk(1))
        ended(store, job)
        time.sleep(1)
    assert engine.state == "ready"

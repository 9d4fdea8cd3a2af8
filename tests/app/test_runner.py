"""A job that a runner has is spoken whole, as an engine alone would speak it; and ends when it is to end."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engines import exact, reach, stand_in, started
from jobbing import (
    WORDS,
    assert_same,
    assert_undisturbed,
    at_work,
    ended,
    seeds_of,
    sound_of,
    spoken_some,
    submitted,
    talk,
    undisturbed,
)
from running import wait_for
from storing import Speaker
from vibevoice.engine import Engine
from vibevoice.jobs.store import NoSuchJob, Store
from vibevoice.script import Turn
from vibevoice.voices import SAMPLE_RATE

LONG = WORDS + " " + WORDS


@pytest.fixture(scope="module")
def engine(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with started(exact(checkpoint, tmp_path_factory.mktemp("locks"))) as engine:
        reach(engine, "ready")
        yield engine
        assert engine.idle


def test_a_job_is_spoken_segment_by_segment_each_going_on_from_the_one_before(
    store: Store, engine: Engine
) -> None:
    with at_work(store, engine) as work:
        job = ended(store, work.submit(talk(3)))
    assert job.state == "done"
    assert job.segments[0].heard and job.segments[0].heard.seed == job.seed
    assert_undisturbed(store, engine, job)
    # And by nothing else than going on does the second sound as it does.
    alone = undisturbed(engine, job, seeds_of(job), alone=True)
    assert not np.array_equal(sound_of(store, job, 1), alone[1])


def test_a_pause_is_silence_of_its_length(store: Store, engine: Engine) -> None:
    turns = (Turn(0, "Hello.", pause_ms=500), Turn(0, "Hello.", pause_ms=250))
    with at_work(store, engine) as work:
        job = ended(store, work.submit(talk(1, turns=turns, segments=((0, 2, 2.0),))))
    [segment] = job.segments
    assert segment.heard
    assert segment.heard.samples == 3200 * segment.heard.frames + SAMPLE_RATE * 3 // 4
    assert not sound_of(store, job)[-SAMPLE_RATE // 4 :].any()
    assert_undisturbed(store, engine, job)


def test_one_take_is_one_stream(store: Store, engine: Engine) -> None:
    new = talk(2, one_take=True)
    with at_work(store, engine) as work:
        job = ended(store, work.submit(talk(2, one_take=True, segments=((0, len(new.turns), 16.0),))))
    assert_undisturbed(store, engine, job)


def test_what_is_asked_for_is_begun_at_once_and_heard_at_once(store: Store, engine: Engine) -> None:
    with at_work(store, engine) as work:
        began = time.monotonic()
        job = work.submit(talk(1))
        wait_for(lambda: bool(work.kinds(job)))
        # Half of the time after which it would have looked anyway.
        assert time.monotonic() - began < 0.125
        spoken_some(store, job)
        early = store.get(job.id)
        assert early.segments[0].take and early.segments[0].take.state == "running"
        ended(store, job)


def test_jobs_are_found_that_nobody_told_of(store: Store, engine: Engine) -> None:
    with at_work(store, engine):
        assert ended(store, submitted(store, talk(1))).state == "done"


def test_as_many_are_spoken_at_once_as_the_engine_has_streams(store: Store, engine: Engine) -> None:
    with at_work(store, engine) as work:
        jobs = store.submit([talk(1, seed=seed) for seed in range(5)], "ana")
        wait_for(lambda: work.running == 2)
        assert (store.running(), store.waiting()) == (2, 3)
        for job in jobs:
            assert ended(store, job).state == "done"
    assert work.running == 0


def test_the_runner_tells_what_happens_and_each_second_of_sound_once(store: Store, engine: Engine) -> None:
    with at_work(store, engine) as work:
        job = ended(store, work.submit(talk(2)))
        wait_for(lambda: "ended" in work.kinds(job))
    told = [kind for kind in work.kinds(job) if kind != "seconds"]
    assert told == ["claimed", "first_audio", "segment", "segment", "ended"]
    assert sum(seconds for _, seconds in work.spoken) == pytest.approx(job.audio_s)
    measured = [event for event in work.events if event.kind == "seconds"]
    assert sum(event.audio_s for event in measured) == pytest.approx(job.audio_s)
    assert job.started and job.ended
    assert 0 < sum(event.busy_s for event in measured) <= job.ended - job.started
    first = next(event for event in work.events if event.kind == "first_audio")
    assert 0 < first.seconds < job.ended - job.created
    [last] = [event for event in work.events if event.kind == "ended"]
    assert (last.job.state, last.seconds) == ("done", pytest.approx(job.ended - job.created))


def test_a_listener_that_fails_harms_nobody(store: Store, engine: Engine) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError

    with at_work(store, engine, spoken=fail) as work:
        work.listen(fail)
        job = ended(store, work.submit(talk(1)))
    assert_undisturbed(store, engine, job)


def test_other_runners_know_what_this_one_does(store: Store, engine: Engine) -> None:
    with at_work(store, engine, lease_s=1) as work:
        job = work.submit(talk(3))
        wait_for(lambda: any(state.running and state.pace for state in store.runners()))
        [state] = store.runners()
        assert (state.id, state.engine, state.streams) == ("runner", "ready", 2)
        ended(store, job)
    assert [state.streams for state in store.runners()] == [0]


def test_a_cancelled_job_ends_within_a_moment_and_keeps_what_there_is(store: Store, engine: Engine) -> None:
    with at_work(store, engine) as work:
        job = work.submit(talk(1, LONG))
        spoken_some(store, job, 1)
        store.cancel(job.id)
        work.poke()
        cancelled = ended(store, job)
        assert cancelled.state == "cancelled"
        assert cancelled.audio_s >= 1
        assert work.kinds(job)[-1] == "ended"
        assert work.running == 0
        wait_for(lambda: engine.capacity().kv_used == 0)
        # Who wants it after all has lost nothing.
        store.retry(job.id)
        again = ended(store, job)
    assert again.segments[0].heard
    assert [piece.epoch for piece in again.segments[0].heard.pieces] == [1, 2]
    assert_undisturbed(store, engine, job)


def test_a_job_that_is_deleted_while_it_is_spoken_is_gone(store: Store, engine: Engine) -> None:
    with at_work(store, engine) as work:
        job, other = work.submit(talk(2)), work.submit(talk(1))
        spoken_some(store, job)
        store.delete(job.id)
        work.poke()
        assert ended(store, other).state == "done"
        wait_for(lambda: work.running == 0)
    with pytest.raises(NoSuchJob):
        store.get(job.id)
    assert_undisturbed(store, engine, other)


def test_a_segment_that_is_regenerated_is_spoken_alone_and_the_others_stay(
    store: Store, engine: Engine
) -> None:
    with at_work(store, engine) as work:
        job = ended(store, work.submit(talk(3)))
        before = [sound_of(store, job, n) for n in range(3)]
        told = len(work.kinds(job))
        store.regenerate(job.id, 1, seed=99)
        again = ended(store, job)
        wait_for(lambda: work.kinds(job)[-1] == "ended" and len(work.kinds(job)) > told)
        assert work.kinds(job)[told:].count("segment") == 1
    assert [segment.heard.number for segment in again.segments if segment.heard] == [0, 1, 0]
    assert np.array_equal(sound_of(store, job, 0), before[0])
    assert np.array_equal(sound_of(store, job, 2), before[2])
    assert seeds_of(again)[1] == 99
    expected = undisturbed(engine, again, seeds_of(again))
    assert_same(sound_of(store, job, 1), expected[1])


@pytest.mark.parametrize(
    ("fields", "kind", "words"),
    [
        ({"turns": (Turn(0, "Hello there. " * 20_000),), "segments": ((0, 1, 9.0),)}, "invalid_input", "too"),
        ({"steps": 3}, "refused", "3"),
        ({"guidance": 77.0}, "refused", "77"),
        ({"voices": ("voice_0123456789abcdef",)}, "invalid_voice", "voice_0123456789abcdef"),
    ],
    ids=["too long", "other steps", "guidance", "no such voice"],
)
def test_a_job_that_can_never_be_spoken_fails_in_words(
    store: Store, engine: Engine, fields: dict[str, Any], kind: str, words: str
) -> None:
    with at_work(store, engine) as work:
        job, good = work.submit(talk(1, **fields)), work.submit(talk(1))
        failed = ended(store, job)
        assert (failed.state, failed.error_type) == ("failed", kind)
        assert words in failed.error_message
        assert ended(store, good).state == "done"


def test_a_job_that_kills_engines_fails_and_its_company_does_not(store: Store) -> None:
    with stand_in("poison") as engine, at_work(store, engine) as work:
        reach(engine, "ready")
        good, poison = work.submit(talk(2)), work.submit(talk(1, "Poison."))
        failed = ended(store, poison)
        assert (failed.state, failed.error_type) == ("failed", "generation_failed")
        assert "died 3 times" in failed.error_message
        assert ended(store, good).state == "done"


def test_a_fault_of_the_runners_own_is_one_jobs_end(
    store: Store, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    with at_work(store, engine) as work:
        # A folder in the place of the piece's file.
        job = submitted(store, talk(1))
        store.piece_path(job.id, 0, 0, 1, "pcm").mkdir(parents=True)
        work.poke()
        failed = ended(store, job)
        assert (failed.state, failed.error_type) == ("failed", "generation_failed")
        assert "log" in failed.error_message
        assert ended(store, work.submit(talk(1))).state == "done"
    [record] = [record for record in caplog.records if record.exc_info]
    assert record.__dict__["job"] == job.id
    assert WORDS not in caplog.text


def test_a_take_that_another_model_began_is_spoken_anew(store: Store, engine: Engine) -> None:
    job = submitted(store, talk(1))
    [claimed] = store.claim("another", 60, 1)
    speaker = Speaker(store, claimed)
    speaker.begin(0)
    speaker.speak(5)
    store.release(claimed)
    with at_work(store, engine):
        ended(store, job)
    assert seeds_of(store.get(job.id)) == [job.seed]
    assert_undisturbed(store, engine, job)


def test_behind_a_segment_of_another_model_the_next_one_stands_alone(store: Store, engine: Engine) -> None:
    job = submitted(store, talk(2))
    [claimed] = store.claim("another", 60, 1)
    speaker = Speaker(store, claimed)
    speaker.begin(0)
    speaker.speak(5)
    speaker.end()
    store.release(claimed)
    with at_work(store, engine):
        job = ended(store, job)
    alone = undisturbed(engine, job, seeds_of(job), alone=True)
    assert_same(sound_of(store, job, 1), alone[1])


def test_who_has_more_than_others_makes_room_between_segments(store: Store, engine: Engine) -> None:
    with at_work(store, engine) as work:
        mine = store.submit([talk(4, seed=1), talk(4, seed=2)], "ana")
        wait_for(lambda: work.running == 2)
        theirs = work.submit(talk(1), user="ben")
        ended(store, theirs)
        assert not all(store.get(job.id).final for job in mine)
        for job in mine:
            assert ended(store, job).state == "done"
    for job in mine:
        assert_undisturbed(store, engine, job)

"""Users take turns, and everybody is told when theirs will be."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from storing import Clock, Speaker, alive, claim, submit
from vibevoice.jobs.model import RunnerState
from vibevoice.jobs.queue import Unfinished, fair_order, plan
from vibevoice.jobs.store import Store

USERS = st.sampled_from(["ana", "li", "max"])


@st.composite
def queues(draw: st.DrawFn) -> list[Unfinished]:
    """Jobs of three users in any state."""
    turns = draw(st.permutations(range(1, draw(st.integers(1, 12)) + 1)))
    return [
        Unfinished(
            number=number,
            user=draw(USERS),
            kind=draw(st.sampled_from(["job", "speech"])),
            running=draw(st.booleans()),
            turn=turn,
            reason="",
            left_s=draw(st.floats(1, 1000)),
        )
        for number, turn in enumerate(turns, 1)
    ]


@pytest.fixture
def clock() -> Clock:
    return Clock()


# --- order -------------------------------------------------------------------------------------------------


@given(queues())
def test_everybody_who_waits_is_in_the_order_once(jobs: list[Unfinished]) -> None:
    assert sorted(job.number for job in fair_order(jobs)) == sorted(
        job.number for job in jobs if not job.running
    )


@given(queues())
def test_nobody_gets_a_second_turn_before_another_has_had_the_first(jobs: list[Unfinished]) -> None:
    """At each step the one who is taken has no more spoken than anybody who waits."""
    running = Counter(job.user for job in jobs if job.running)
    order = fair_order(jobs)
    for place, job in enumerate(order):
        assert running[job.user] == min(running[other.user] for other in order[place:])
        running[job.user] += 1


@given(queues())
def test_among_a_users_own_speech_comes_first_and_else_who_came_first(jobs: list[Unfinished]) -> None:
    order = fair_order(jobs)
    for user in {job.user for job in order}:
        own = [(job.kind != "speech", job.turn) for job in order if job.user == user]
        assert own == sorted(own)


@given(queues())
def test_when_the_next_one_is_taken_all_others_move_up_by_one(jobs: list[Unfinished]) -> None:
    order = fair_order(jobs)
    if not order:
        return
    taken = order[0].number
    after = [replace(job, running=job.running or job.number == taken) for job in jobs]
    assert [job.number for job in fair_order(after)] == [job.number for job in order[1:]]


def test_a_job_behind_anothers_batch_does_not_wait_for_all_of_it(store: Store) -> None:
    batch = [submit(store, "ana") for _ in range(50)]
    late = submit(store, "li")
    assert store.place(late).position == 2
    assert [claim(store).id, claim(store).id] == [batch[0].id, late.id]


def test_speech_goes_before_its_users_own_jobs_and_not_before_others(store: Store) -> None:
    first, hers = submit(store, "ana"), submit(store, "li")
    speech = submit(store, "ana", kind="speech")
    assert [claim(store).id for _ in range(3)] == [hers.id, speech.id, first.id]


def test_a_job_that_is_stopped_by_a_full_disk_keeps_its_place_and_holds_up_nobody(store: Store) -> None:
    first, second = submit(store), submit(store)
    store.release(claim(store), "disk_full")
    assert store.get(first.id).reason == "disk_full" and store.place(store.get(first.id)).position == 1
    assert [job.id for job in store.claim("runner", 15, 2, reserve=2**60)] == [second.id]
    assert not store.anything(2**60) and store.anything(0)
    assert claim(store).id == first.id


@pytest.mark.parametrize("again", ["retry", "regenerate"])
def test_an_old_job_that_is_to_be_spoken_again_goes_behind_who_waits(store: Store, again: str) -> None:
    submit(store, "ana")
    old = claim(store)
    store.finish(old, "failed")
    waits = submit(store, "li")
    _ = store.retry(old.id) if again == "retry" else store.regenerate(old.id, 0)
    assert [claim(store).id, claim(store).id] == [waits.id, old.id]


def test_a_job_that_is_handed_over_keeps_its_place(store: Store) -> None:
    first, second = submit(store, "ana"), submit(store, "li")
    store.release(claim(store), "gpu_released")
    assert [claim(store).id, claim(store).id] == [first.id, second.id]


# --- yielding ----------------------------------------------------------------------------------------------


def test_nobody_yields_while_there_is_room_or_nobody_waits(store: Store) -> None:
    alive(store, streams=2)
    submit(store, "ana")
    job = claim(store)
    assert not store.should_yield(job)
    submit(store, "li")
    assert not store.should_yield(job)
    alive(store, streams=1)
    assert store.should_yield(job)


def test_nobody_yields_to_who_has_as_much(store: Store) -> None:
    alive(store, streams=2)
    submit(store, "ana")
    submit(store, "li")
    jobs = store.claim("runner", 15, 2)
    submit(store, "ana")
    submit(store, "li")
    assert [store.should_yield(job) for job in jobs] == [False, False]


def test_two_users_of_one_stream_take_turns_from_segment_to_segment(store: Store) -> None:
    alive(store, streams=1)
    for user in ("ana", "li"):
        submit(store, user, segments=3)
    spoken = []
    while store.anything():
        speaker = Speaker(store, claim(store))
        while speaker.job.state == "running":
            n = next(segment.n for segment in speaker.job.segments if segment.coming)
            speaker.begin(n)
            speaker.speak(1)
            spoken.append((speaker.end().user, n))
            if n == 2:
                store.finish(speaker.job, "done")
                break
            if store.should_yield(speaker.job):
                store.release(speaker.job, "yielded")
                break
    assert spoken == [(user, n) for n in range(3) for user in ("ana", "li")]


# --- time --------------------------------------------------------------------------------------------------


def test_nobody_can_say_when_before_a_runner_knows_its_pace(store: Store) -> None:
    job = submit(store)
    alive(store, pace=0.0)
    assert (store.place(job).position, store.place(job).eta_s) == (1, None)


def test_the_time_is_what_is_before_and_what_is_left_at_the_runners_pace(store: Store, clock: Clock) -> None:
    # 20 s of speech each, two of them at once, each at twice its speed.
    alive(store, streams=2, pace=2.0)
    jobs = [submit(store) for _ in range(4)]
    store.claim("runner", 15, 2)
    assert [store.place(job).eta_s for job in jobs] == [10, 10, 20, 20]
    assert [store.place(job).position for job in jobs] == [None, None, 1, 2]


def test_the_time_falls_as_a_job_is_spoken(store: Store) -> None:
    alive(store, pace=1.0)
    submit(store)
    speaker = Speaker(store, claim(store))
    speaker.begin(0)
    before = store.place(speaker.job).eta_s
    store.save(speaker.job, 0, samples=5 * 24_000, frames=9, weights="w", frame_bytes=6, parts=())
    assert (before, store.place(speaker.job).eta_s) == (20, 15)


def test_a_runner_that_has_died_speaks_in_no_plan(store: Store, clock: Clock) -> None:
    job = submit(store)
    alive(store)
    assert store.place(job).eta_s is not None and store.runners()
    clock.now += 6
    assert store.runners() == []
    submit(store)
    assert store.place(job).eta_s is None


def test_a_job_that_is_over_stands_nowhere(store: Store) -> None:
    submit(store)
    job = Speaker(store, claim(store)).all()
    assert (store.place(job).position, store.place(job).eta_s) == (None, None)


@given(queues(), st.integers(1, 4))
def test_no_time_is_before_its_own_work_or_after_all_work_in_a_row(
    jobs: list[Unfinished], streams: int
) -> None:
    made = plan(jobs, [RunnerState("r", 0, "ready", streams, 0, 1.0)])
    total = sum(job.left_s for job in jobs)
    for job in jobs:
        end = made.places[job.number].eta_s
        assert end is not None and job.left_s * 0.999 <= end <= total * 1.001
    assert list(made.starts) == sorted(made.starts)

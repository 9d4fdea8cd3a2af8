"""A lease has one holder. Whoever was taken for dead changes nothing more, and nothing is spoken twice."""

import asyncio
from collections.abc import Callable

import pytest
from storing import LEASE_S, Clock, Speaker, claim, files, frames_of, heard, submit
from vibevoice.engine.generation import Saved
from vibevoice.jobs.sound import live, whole
from vibevoice.jobs.store import Conflict, Damaged, LeaseLost, Store
from vibevoice.jobs.watch import Watch


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def speaker(store: Store) -> Speaker:
    """Has spoken two frames of a job's first segment, and written one more."""
    submit(store)
    speaker = Speaker(store, claim(store))
    speaker.begin(0)
    speaker.speak(2)
    speaker.write(1)
    return speaker


def taken_over(speaker: Speaker, clock: Clock) -> Speaker:
    clock.now += LEASE_S + 1
    return Speaker(speaker.store, claim(speaker.store, "other"))


def test_a_job_is_claimed_once(store: Store) -> None:
    jobs = [submit(store) for _ in range(3)]
    claimed = store.claim("one", 15, 2) + store.claim("other", 15, 2)
    assert [job.id for job in claimed] == [job.id for job in jobs]
    assert [job.runner for job in claimed] == ["one", "one", "other"]
    assert store.claim("third", 15, 1) == []


def test_a_lease_that_is_renewed_is_never_taken_over(store: Store, clock: Clock) -> None:
    submit(store)
    job = claim(store)
    for _ in range(10):
        clock.now += LEASE_S - 1
        assert store.renew("runner", {job.id: job.epoch}, LEASE_S) == {job.id: "ok"}
        assert store.claim("other", LEASE_S, 1) == []


def test_a_lease_that_runs_out_is_taken_over_before_anything_new(store: Store, clock: Clock) -> None:
    first = submit(store, "ana")
    claim(store)
    submit(store, "li")
    clock.now += LEASE_S
    taken = claim(store, "other")
    assert (taken.id, taken.epoch, taken.runner) == (first.id, 2, "other")


def test_who_was_late_but_was_not_taken_over_goes_on(speaker: Speaker, clock: Clock) -> None:
    clock.now += 10 * LEASE_S
    speaker.save()
    assert speaker.store.renew("runner", {speaker.job.id: 1}, LEASE_S) == {speaker.job.id: "ok"}


def test_a_lease_from_before_the_clock_was_set_back_does_not_last_for_ever(
    speaker: Speaker, clock: Clock
) -> None:
    clock.now -= 3600
    assert claim(speaker.store, "other").epoch == 2


WRITES: dict[str, Callable[[Store, Speaker], object]] = {
    "begin": lambda store, old: store.begin(old.job, 0),
    "restart": lambda store, old: store.restart_take(old.job, 0),
    "save": lambda store, old: old.save(),
    "finish_take": lambda store, old: store.finish_take(old.job, 0, capped=False),
    "done": lambda store, old: store.finish(old.job, "done"),
    "failed": lambda store, old: store.finish(old.job, "failed", "x", "y"),
    "release": lambda store, old: store.release(old.job),
}


@pytest.mark.parametrize("write", WRITES)
def test_who_wakes_after_a_takeover_changes_nothing(speaker: Speaker, clock: Clock, write: str) -> None:
    store, old = speaker.store, speaker
    new = taken_over(old, clock)
    new.begin(0)
    new.speak(1)
    before, last = store.get(old.job.id), store.last_event()
    old.write(3)
    with pytest.raises(LeaseLost):
        WRITES[write](store, old)
    assert store.renew("runner", {old.job.id: old.job.epoch}, LEASE_S) == {old.job.id: "lost"}
    assert (store.get(old.job.id), store.last_event()) == (before, last)


@pytest.mark.parametrize("write", WRITES)
def test_who_had_the_lease_before_has_not_got_it_again_by_its_name(
    speaker: Speaker, clock: Clock, write: str
) -> None:
    clock.now += LEASE_S + 1
    claim(speaker.store, "runner")
    with pytest.raises(LeaseLost):
        WRITES[write](speaker.store, speaker)


def test_a_takeover_goes_on_behind_the_last_saved_frame(speaker: Speaker, clock: Clock) -> None:
    new = taken_over(speaker, clock)
    take = new.begin(0)
    saved = speaker.store.saved(new.job, 0, take)
    assert saved and saved.count == 2 and saved.seed == take.seed
    # What the old one wrote and did not save, before and after it was taken for dead, is nobody's.
    speaker.write(5)
    new.speak(1)
    new.end()
    new.begin(1)
    new.speak(2)
    new.end()
    job = new.store.finish(new.job, "done")
    assert heard(b"".join(whole(new.store, job))) == frames_of([(0, 0, 3), (1, 0, 2)])


def test_many_takeovers_leave_nothing_out_and_nothing_twice(store: Store, clock: Clock) -> None:
    submit(store, segments=1)
    for _ in range(10):
        speaker = Speaker(store, claim(store))
        speaker.begin(0)
        speaker.speak(3)
        speaker.write(2)
        clock.now += LEASE_S + 1
    last = Speaker(store, claim(store))
    # One that died before it had a frame does not matter.
    last.begin(0)
    last.end()
    job = store.finish(last.job, "done")
    assert heard(b"".join(whole(store, job))) == frames_of([(0, 0, 30)])


def test_a_piece_without_frames_does_no_harm(speaker: Speaker, clock: Clock) -> None:
    empty = taken_over(speaker, clock)
    empty.begin(0)
    empty.save()
    new = taken_over(empty, clock)
    saved = speaker.store.saved(new.job, 0, new.begin(0))
    assert saved and saved.count == 2
    new.speak(1)
    assert heard(b"".join(whole(speaker.store, new.end(), 0))) == frames_of([(0, 0, 3)])


def test_nothing_is_saved_of_a_take_without_frames(store: Store) -> None:
    submit(store)
    speaker = Speaker(store, claim(store))
    assert store.saved(speaker.job, 0, speaker.begin(0)) is None


def test_what_was_saved_is_what_the_engine_gave(speaker: Speaker) -> None:
    (take,) = [s.coming for s in speaker.store.get(speaker.job.id).segments if s.n == 0]
    assert take
    saved = speaker.store.saved(speaker.job, 0, take)
    assert saved == Saved("weights", 6, bytes([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]), (), take.seed)


def test_a_take_that_begins_anew_has_its_seed_and_files_of_its_own(speaker: Speaker) -> None:
    before = speaker.take
    again = speaker.store.restart_take(speaker.job, 0)
    assert (again.seed, again.pieces, again.state) == (before.seed, (), "running")
    assert again.number != before.number
    job = speaker.store.get(speaker.job.id)
    assert job.samples == 0 and job.segments[0].coming == again


def test_other_weights_never_follow_within_a_take(speaker: Speaker, clock: Clock) -> None:
    new = taken_over(speaker, clock)
    new.begin(0)
    with pytest.raises(ValueError, match="other weights"):
        new.store.save(new.job, 0, samples=4, frames=1, weights="new", frame_bytes=6, parts=())


@pytest.mark.parametrize("kind", ["pcm", "state"])
@pytest.mark.parametrize("left", [None, 0, 5])
def test_a_take_whose_files_are_short_is_spoken_anew(
    speaker: Speaker, clock: Clock, kind: str, left: int | None
) -> None:
    """A disk that lied of what it kept: the whole of that take is worth nothing, the job is."""
    path = speaker.store.piece_path(speaker.job.id, 0, 0, 1, kind)  # pyright: ignore[reportArgumentType]
    if left is None:
        path.unlink()
    else:
        with path.open("r+b") as file:
            file.truncate(left)
    new = taken_over(speaker, clock)
    take = new.begin(0)
    assert take.pieces == () and take.number == 1
    new.speak(3)
    assert heard(b"".join(whole(new.store, new.end(), 0))) == frames_of([(0, 1, 3)])


def test_a_finished_take_whose_file_is_short_is_no_prefix_and_no_sound(speaker: Speaker) -> None:
    job = speaker.end()
    take = job.segments[0].heard
    assert take
    for kind in ("pcm", "state"):
        with speaker.store.piece_path(job.id, 0, 0, 1, kind).open("r+b") as file:  # pyright: ignore[reportArgumentType]
            file.truncate(3)
    with pytest.raises(Damaged, match="were saved"):
        speaker.store.saved(job, 0, take)
    with pytest.raises(Damaged, match="generate"):
        b"".join(whole(speaker.store, job, 0))


def test_a_job_is_done_only_when_all_is_spoken(speaker: Speaker) -> None:
    with pytest.raises(ValueError, match="still to be spoken"):
        speaker.store.finish(speaker.job, "done")
    with pytest.raises(ValueError, match="no end"):
        speaker.store.finish(speaker.job, "queued")


def test_a_segment_that_is_spoken_has_nothing_to_begin(speaker: Speaker) -> None:
    speaker.end()
    with pytest.raises(Conflict, match="Segment 0"):
        speaker.store.begin(speaker.job, 0)


def test_a_job_that_is_handed_over_waits_and_keeps_what_there_is(speaker: Speaker) -> None:
    speaker.store.release(speaker.job, "gpu_released")
    job = speaker.store.get(speaker.job.id)
    assert (job.state, job.reason, job.runner, job.samples) == ("queued", "gpu_released", None, 8)
    assert claim(speaker.store, "other").reason == ""


def test_what_is_done_in_a_transaction_happens_together_or_not_at_all(speaker: Speaker) -> None:
    store, last = speaker.store, speaker.store.last_event()
    before = store.get(speaker.job.id)

    def all_and_fail() -> None:
        with store.transaction():
            speaker.save()
            speaker.end()
            store.delete(speaker.job.id)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        all_and_fail()
    assert (store.get(before.id), store.last_event()) == (before, last)
    assert "0-0-1.pcm" in files(store.folder_of(before.id))
    with store.transaction():
        store.save(before, 0, samples=12, frames=3, weights="weights", frame_bytes=6, parts=(2,))
        store.finish_take(before, 0, capped=True)
    heard = store.get(before.id).segments[0].heard
    assert heard and (heard.samples, heard.parts, heard.capped) == (12, (2,), True)


def test_whoever_listens_through_a_takeover_hears_each_frame_once(speaker: Speaker, clock: Clock) -> None:
    async def listen() -> bytes:
        sound = b""
        async for block in live(speaker.store, Watch(speaker.store), speaker.job.id):
            sound += block
            if len(heard(sound)) == 2:
                await asyncio.to_thread(end)
        return sound

    def end() -> None:
        new = taken_over(speaker, clock)
        speaker.write(2)
        new.all()

    assert heard(asyncio.run(listen())) == frames_of([(0, 0, 5), (1, 0, 3)])

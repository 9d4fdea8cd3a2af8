"""What is heard of a job: from its beginning, as it comes, each frame once."""

import asyncio
import threading
from collections.abc import Callable

import numpy as np
import pytest
from storing import Speaker, claim, done, frames_of, heard, submit
from vibevoice.jobs.model import Job
from vibevoice.jobs.sound import BLOCK, live, whole
from vibevoice.jobs.store import Damaged, NoSuchJob, Store
from vibevoice.jobs.watch import Watch


def listen(
    store: Store, job: Job, meanwhile: Callable[[int], object] = lambda _: None, segment: int | None = None
) -> list[tuple[int, int, int]]:
    """All that a listener hears; `meanwhile` is told after each block how many frames there have been."""

    async def all() -> bytes:
        sound = b""
        async for block in live(store, Watch(store), job.id, segment=segment):
            sound += block
            await asyncio.to_thread(meanwhile, len(heard(sound)))
        return sound

    return heard(asyncio.run(asyncio.wait_for(all(), 20)))


def test_the_whole_is_all_segments_in_order(store: Store) -> None:
    job = done(store, segments=3, frames=4)
    assert heard(b"".join(whole(store, job))) == frames_of([(n, 0, 4) for n in range(3)])
    assert heard(b"".join(whole(store, job, 1))) == frames_of([(1, 0, 4)])


def test_the_whole_comes_in_blocks_of_a_mebibyte(store: Store) -> None:
    submit(store, segments=1)
    speaker = Speaker(store, claim(store))
    speaker.begin(0)
    speaker.speak(300_000)
    blocks = [len(block) for block in whole(store, speaker.end())]
    assert sum(blocks) == 2_400_000 and max(blocks) == BLOCK


def test_there_is_no_whole_of_a_job_that_is_not_spoken_yet(store: Store) -> None:
    with pytest.raises(ValueError, match="not spoken"):
        b"".join(whole(store, submit(store)))


def test_a_finished_job_is_heard_live_like_any_other(store: Store) -> None:
    job = done(store, segments=3)
    assert listen(store, job) == heard(b"".join(whole(store, job)))
    assert listen(store, job, segment=2) == frames_of([(2, 0, 3)])


def test_a_listener_hears_each_frame_before_the_next_is_spoken(store: Store) -> None:
    submit(store)
    speaker = Speaker(store, claim(store))
    speaker.begin(0)
    speaker.speak(1)

    def speak_on(count: int) -> None:
        """A frame after each frame that was heard, to the end of the second segment."""
        if count == 2:
            speaker.end()
            speaker.begin(1)
        if count < 4:
            speaker.speak(1)
        else:
            speaker.end()
            store.finish(speaker.job, "done")

    assert listen(store, speaker.job, speak_on) == frames_of([(0, 0, 2), (1, 0, 2)])


def test_a_listener_waits_for_a_job_that_waits(store: Store) -> None:
    job = submit(store)
    thread = threading.Timer(0.3, lambda: Speaker(store, claim(store)).all())
    thread.start()
    assert listen(store, job) == frames_of([(0, 0, 3), (1, 0, 3)])
    thread.join()


def end(store: Store, job: Job, how: str) -> None:
    if how == "deleted":
        store.delete(job.id)
    else:
        store.finish(job, how)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("how", ["failed", "cancelled", "deleted"])
def test_a_listener_hears_what_there_is_of_a_job_that_ends_early(store: Store, how: str) -> None:
    submit(store)
    speaker = Speaker(store, claim(store))
    speaker.begin(0)
    speaker.speak(2)
    assert listen(store, speaker.job, lambda _: end(store, speaker.job, how)) == frames_of([(0, 0, 2)])


def test_a_listener_of_one_segment_does_not_wait_for_the_others(store: Store) -> None:
    submit(store)
    speaker = Speaker(store, claim(store))
    speaker.begin(0)
    speaker.speak(2)
    speaker.end()
    assert listen(store, speaker.job, segment=0) == frames_of([(0, 0, 2)])


def test_a_take_that_begins_anew_repeats_nothing_for_who_has_heard_the_beginning(store: Store) -> None:
    submit(store, segments=1)
    speaker = Speaker(store, claim(store))
    speaker.begin(0)
    speaker.speak(2)

    def begin_anew(count: int) -> None:
        if count == 2:
            speaker.take, speaker.written = store.restart_take(speaker.job, 0), 0
            speaker.speak(5)
            speaker.end()
            store.finish(speaker.job, "done")

    assert listen(store, speaker.job, begin_anew) == [(0, 0, 0), (0, 0, 1), (0, 1, 2), (0, 1, 3), (0, 1, 4)]


def test_sound_that_was_written_but_not_saved_is_not_heard(store: Store) -> None:
    submit(store, segments=1)
    speaker = Speaker(store, claim(store))
    speaker.begin(0)
    speaker.speak(2)
    speaker.write(3)
    assert listen(store, speaker.job, lambda _: end(store, speaker.job, "cancelled")) == frames_of(
        [(0, 0, 2)]
    )


def test_sound_that_is_lost_is_an_error_and_never_silence(store: Store) -> None:
    job = done(store)
    store.piece_path(job.id, 1, 0, 1, "pcm").unlink()
    with pytest.raises(Damaged, match="again"):
        b"".join(whole(store, job))
    with pytest.raises(Damaged):
        listen(store, job)


def test_nobody_listens_to_anothers_job(store: Store) -> None:
    job = done(store, "ana")

    async def first() -> bytes:
        return await anext(live(store, Watch(store), job.id, "li"))

    with pytest.raises(NoSuchJob):
        asyncio.run(first())


def test_bytes_are_16_bit_little_endian(store: Store) -> None:
    job = done(store, segments=1, frames=1)
    assert np.frombuffer(b"".join(whole(store, job)), "<i2").tolist() == [0, 0, 0, 1]

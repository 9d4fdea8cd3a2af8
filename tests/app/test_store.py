"""What whoever submits, looks and changes their mind is promised of the job store."""

import re

import pytest
from storing import Clock, Speaker, alive, claim, done, files, heard, new_job, submit
from vibevoice.jobs.sound import whole
from vibevoice.jobs.store import (
    Conflict,
    KeyReused,
    LeaseLost,
    NoSuchJob,
    Store,
    TooManyWaiting,
)


@pytest.fixture
def clock() -> Clock:
    return Clock()


# --- submitting --------------------------------------------------------------------------------------------


def test_a_job_comes_back_as_it_was_submitted(store: Store, clock: Clock) -> None:
    new = new_job(
        3,
        script="Ana: 你好, \U0001f600 “so” 'it' is.\r\n\tEnd",
        title="A 'title'; --",
        voices=("voice_1", None),
        guidance=1.3,
        steps=10,
        one_take=True,
        format="flac",
        seed=2**32 - 1,
    )
    (job,) = store.submit([new], "ana")
    again = Store(store.folder, clock).get(job.id)
    assert again == job
    for name in ("script", "turns", "speakers", "voices", "title", "guidance", "steps", "one_take", "format"):
        assert getattr(again, name) == getattr(new, name)
    assert (again.seed, again.user, again.state, again.created) == (2**32 - 1, "ana", "queued", clock.now)
    assert [(s.first, s.last, s.estimate_s) for s in again.segments] == list(new.segments)
    assert re.fullmatch(r"job_[A-Za-z0-9]{24}", again.id)


def test_the_first_take_has_the_jobs_seed_and_every_other_one_its_own(store: Store) -> None:
    job = done(store, segments=4)
    takes = [segment.heard for segment in job.segments]
    again = store.regenerate(job.id, 0).segments[0].coming
    seeds = [take.seed for take in (*takes, again) if take]
    assert seeds[0] == 7 and len(set(seeds)) == 5
    assert all(0 <= seed < 2**32 for seed in seeds)


def test_several_jobs_are_one_batch_and_one_alone_is_none(store: Store) -> None:
    several = store.submit([new_job(), new_job(), new_job()], "ana")
    assert len({job.batch for job in several}) == 1 and several[0].batch
    assert len({job.id for job in several}) == 3
    assert submit(store).batch is None


def test_the_same_key_again_is_the_same_job(store: Store) -> None:
    first = store.submit([new_job(), new_job()], "ana", key="k", fingerprint="f")
    assert store.submit([new_job(), new_job()], "ana", key="k", fingerprint="f") == first
    assert len(store.list()) == 2


def test_a_repeated_request_is_not_refused_though_no_more_may_wait(store: Store) -> None:
    first = store.submit([new_job()], "ana", key="k", most_waiting=1)
    assert store.submit([new_job()], "ana", key="k", most_waiting=1) == first


def test_a_key_with_another_request_is_refused(store: Store) -> None:
    store.submit([new_job()], "ana", key="k", fingerprint="f")
    with pytest.raises(KeyReused, match="use a new one"):
        store.submit([new_job()], "ana", key="k", fingerprint="g")


def test_a_key_is_its_users_own(store: Store) -> None:
    (hers,) = store.submit([new_job()], "ana", key="k", fingerprint="f")
    (his,) = store.submit([new_job()], "li", key="k", fingerprint="g")
    assert hers.id != his.id


def test_a_key_is_free_again_after_a_day(store: Store, clock: Clock) -> None:
    (first,) = store.submit([new_job()], "ana", key="k", fingerprint="f")
    clock.now += 24 * 3600 - 1
    assert store.submit([new_job()], "ana", key="k", fingerprint="f")[0].id == first.id
    clock.now += 1
    assert store.submit([new_job()], "ana", key="k", fingerprint="g")[0].id != first.id


def test_a_key_whose_job_was_deleted_makes_no_second_one(store: Store) -> None:
    (job,) = store.submit([new_job()], "ana", key="k")
    store.delete(job.id)
    with pytest.raises(Conflict, match="deleted"):
        store.submit([new_job()], "ana", key="k")
    assert store.list() == []


def test_as_many_jobs_wait_as_may_and_spoken_ones_do_not_count(store: Store) -> None:
    store.submit([new_job()] * 2, "ana", most_waiting=2)
    with pytest.raises(TooManyWaiting, match=r"\b2 jobs wait already, and 2 may"):
        store.submit([new_job()], "li", most_waiting=2)
    claim(store)
    store.submit([new_job()], "li", most_waiting=2)


def test_a_batch_is_accepted_as_a_whole_or_not_at_all(store: Store) -> None:
    with pytest.raises(TooManyWaiting, match="3 generations at once"):
        store.submit([new_job()] * 3, "ana", most_waiting=2)
    assert store.list() == []


def test_speech_may_wait_besides_what_the_runners_speak(store: Store) -> None:
    alive(store, streams=2)
    for _ in range(5):
        store.submit([new_job(kind="speech")], "ana", most_waiting=3)
    store.claim("runner", 15, 2)
    with pytest.raises(TooManyWaiting, match="5 generations are under way"):
        store.submit([new_job(kind="speech")], "ana", most_waiting=3)
    # A full queue of one kind is no reason to refuse the other.
    store.submit([new_job()], "ana", most_waiting=3)


def test_who_is_refused_is_told_when_there_will_be_room(store: Store) -> None:
    # 1 stream at pace 2: a job of 2 x 10 s takes 10 s.
    alive(store, streams=1, pace=2.0)
    submit(store)
    claim(store)
    store.submit([new_job()] * 2, "ana", most_waiting=2)
    with pytest.raises(TooManyWaiting) as caught:
        store.submit([new_job()], "ana", most_waiting=2)
    assert caught.value.retry_after_s == 10
    with pytest.raises(TooManyWaiting) as caught:
        store.submit([new_job()] * 2, "ana", most_waiting=2)
    assert caught.value.retry_after_s == 20


# --- looking -----------------------------------------------------------------------------------------------


def test_the_history_is_read_in_pages_newest_first(store: Store) -> None:
    jobs = [submit(store) for _ in range(5)]
    pages = [store.list(limit=2)]
    while pages[-1]:
        pages.append(store.list(before=pages[-1][-1].number, limit=2))
    assert [job.id for page in pages for job in page] == [job.id for job in reversed(jobs)]


def test_speech_is_in_no_history(store: Store) -> None:
    speech = submit(store, kind="speech")
    assert store.list() == [] and store.get(speech.id) == speech


def test_a_search_finds_words_of_title_and_script_in_any_case(store: Store) -> None:
    title = submit(store, title="Straße nach ПЕРМЬ")
    script = submit(store, script="Ana: 今天我们讨论100% “AI”。")
    for words, found in {
        "STRASSE": [title],
        "пермь": [title],
        "讨论": [script],
        "100%": [script],
        "ai": [script],
        "_": [],
        "ana: h": [title],
    }.items():
        assert store.list(search=words) == found, words


def test_a_list_without_texts_has_everything_else(store: Store) -> None:
    submit(store, title="t")
    (job,) = store.list(text=False)
    (full,) = store.list()
    assert (job.script, job.turns, job.title) == ("", (), "t")
    assert job.segments == full.segments and full.script and full.turns


def test_a_list_by_state_has_those_alone(store: Store) -> None:
    first, second, third = (submit(store) for _ in range(3))
    claim(store)
    store.cancel(third.id)
    assert [job.id for job in store.list(states=["running", "cancelled"])] == [third.id, first.id]
    assert [job.id for job in store.list(states=["queued"])] == [second.id]


def test_numbers_out_of_every_range_find_nothing_and_break_nothing(store: Store) -> None:
    submit(store)
    assert store.list(before=-(10**30)) == []
    assert len(store.list(before=10**30)) == 1
    assert store.events(10**30) == []
    assert len(store.events(-(10**30))) == 1


def test_a_user_neither_sees_nor_changes_anothers_job(store: Store) -> None:
    mine, hers = submit(store, "li"), submit(store, "ana")
    assert store.list("li") == [mine] and store.list("li", search="Hello") == [mine]
    assert {event.job for event in store.events(0, viewer="li")} == {mine.id}
    for attempt in (
        lambda: store.get(hers.id, "li"),
        lambda: store.cancel(hers.id, "li"),
        lambda: store.rename(hers.id, "x", "li"),
        lambda: store.retry(hers.id, "li"),
        lambda: store.regenerate(hers.id, 0, "li"),
        lambda: store.delete(hers.id, "li"),
        lambda: store.events(0, job=hers.id, viewer="li"),
    ):
        with pytest.raises(NoSuchJob):
            attempt()
    assert store.get(hers.id) == hers


def test_where_all_is_shared_everybody_sees_and_changes_all(store: Store) -> None:
    for user in ("ana", "li"):
        submit(store, user)
    assert [job.user for job in store.list(None)] == ["li", "ana"]
    assert {store.rename(job.id, "x").title for job in store.list(None)} == {"x"}


@pytest.mark.parametrize(
    "id",
    ["", ".", "..", "../x", "job_/../../x", "job_" + "a" * 23, "job_" + "a" * 24 + "\n", "job_" + "é" * 24],
)
def test_what_is_no_id_is_no_path(store: Store, id: str) -> None:
    with pytest.raises(NoSuchJob):
        store.folder_of(id)
    with pytest.raises(NoSuchJob):
        store.piece_path(id, 0, 0, 1, "pcm")
    with pytest.raises(NoSuchJob):
        store.get(id)


# --- changing one's mind -----------------------------------------------------------------------------------


def test_a_cancelled_job_that_waits_is_over_at_once(store: Store, clock: Clock) -> None:
    job = store.cancel(submit(store).id)
    assert (job.state, job.ended) == ("cancelled", clock.now)
    assert store.claim("runner", 15, 1) == []


def test_a_cancelled_job_that_is_spoken_ends_by_its_runner_and_keeps_what_there_is(store: Store) -> None:
    submit(store)
    speaker = Speaker(store, claim(store))
    speaker.begin(0)
    speaker.speak(2)
    assert (job := store.cancel(speaker.job.id)).cancelling and job.state == "running"
    assert store.renew("runner", {job.id: job.epoch}, 15) == {job.id: "cancel"}
    job = store.finish(speaker.job, "cancelled")
    assert (job.state, job.cancelling, job.samples) == ("cancelled", False, 8)


def test_a_cancelled_job_of_a_dead_runner_is_over_at_once(store: Store, clock: Clock) -> None:
    submit(store)
    job = claim(store)
    clock.now += 16
    assert store.cancel(job.id).state == "cancelled"
    with pytest.raises(LeaseLost):
        store.begin(job, 0)


def test_a_job_that_was_being_cancelled_when_its_runner_died_is_not_begun_again(
    store: Store, clock: Clock
) -> None:
    submit(store)
    job = claim(store)
    store.cancel(job.id)
    clock.now += 16
    assert store.claim("other", 15, 1) == []
    assert store.get(job.id).state == "cancelled"


def test_a_job_handed_over_while_it_is_cancelled_is_over(store: Store) -> None:
    submit(store)
    job = claim(store)
    store.cancel(job.id)
    store.release(job)
    assert store.get(job.id).state == "cancelled"


def test_a_final_job_is_left_as_it_is(store: Store) -> None:
    job = done(store)
    assert store.cancel(job.id) == job


def test_a_deleted_job_leaves_nothing(store: Store) -> None:
    job = done(store)
    store.delete(job.id)
    assert store.list() == [] and store.events(0) == [] and files(store.folder / "jobs") == set()
    with pytest.raises(NoSuchJob):
        store.delete(job.id)


def test_who_speaks_a_job_that_is_deleted_learns_that_it_is_not_theirs(store: Store) -> None:
    submit(store)
    speaker = Speaker(store, claim(store))
    speaker.begin(0)
    speaker.speak(1)
    store.delete(speaker.job.id)
    assert store.renew("runner", {speaker.job.id: 1}, 15) == {speaker.job.id: "lost"}
    for attempt in (speaker.save, speaker.end, lambda: store.release(speaker.job)):
        with pytest.raises(LeaseLost):
            attempt()


def test_a_failed_job_goes_on_behind_what_there_is(store: Store) -> None:
    submit(store)
    speaker = Speaker(store, claim(store))
    speaker.begin(0)
    speaker.speak(2)
    failed = store.finish(speaker.job, "failed", "engine_error", "The engine is gone.")
    assert (failed.error_type, failed.error_message) == ("engine_error", "The engine is gone.")
    again = store.retry(failed.id)
    assert (again.state, again.ended, again.error_type) == ("queued", None, "")
    job = Speaker(store, claim(store)).all(1)
    assert heard(b"".join(whole(store, job))) == [(0, 0, 0), (0, 0, 1), (0, 0, 2), (1, 0, 0)]


def test_a_job_that_is_done_or_not_over_is_not_tried_again(store: Store) -> None:
    for job in (done(store), submit(store)):
        with pytest.raises(Conflict, match="failed or was cancelled"):
            store.retry(job.id)


def test_the_old_take_is_heard_until_the_new_one_is_whole(store: Store) -> None:
    job = done(store)
    store.regenerate(job.id, 1, seed=99)
    speaker = Speaker(store, claim(store))
    assert speaker.begin(1).seed == 99
    speaker.speak(5)
    during = store.get(job.id)
    assert during.audible and heard(b"".join(whole(store, during, 1))) == [(1, 0, k) for k in range(3)]
    speaker.end()
    after = store.finish(speaker.job, "done")
    assert heard(b"".join(whole(store, after, 1))) == [(1, 1, k) for k in range(5)]
    # Who has begun to read the old one reads it to its end.
    assert heard(b"".join(whole(store, during, 1))) == [(1, 0, k) for k in range(3)]


def test_a_regeneration_that_is_cancelled_leaves_the_job_done(store: Store) -> None:
    job = done(store)
    store.regenerate(job.id, 1)
    assert store.cancel(job.id).segments == job.segments
    store.regenerate(job.id, 1)
    speaker = Speaker(store, claim(store))
    speaker.begin(1)
    speaker.speak(1)
    after = store.finish(speaker.job, "cancelled")
    assert (after.state, after.segments) == ("done", job.segments)


def test_no_take_of_a_segment_has_the_number_of_one_before(store: Store) -> None:
    job = done(store)
    numbers = []
    for _ in range(3):
        coming = store.regenerate(job.id, 1).segments[1].coming
        assert coming
        numbers.append(coming.number)
        store.cancel(job.id)
    assert numbers == [1, 2, 3]


def test_only_a_segment_of_a_job_that_is_over_is_regenerated(store: Store) -> None:
    job = submit(store)
    with pytest.raises(Conflict, match="not over"):
        store.regenerate(job.id, 0)
    store.cancel(job.id)
    for n in (-1, 2, 10**30):
        with pytest.raises(Conflict, match="no segment"):
            store.regenerate(job.id, n)


def test_a_title_can_be_changed_at_any_time(store: Store) -> None:
    job = submit(store, title="a")
    for state in ("queued", "running"):
        assert (renamed := store.rename(job.id, f"b {state}")).title == f"b {state}"
        assert renamed.state == state
        store.claim("runner", 15, 1)


# --- events ------------------------------------------------------------------------------------------------


def test_of_a_jobs_progress_there_is_only_the_last_and_numbers_rise(store: Store) -> None:
    submit(store)
    speaker = Speaker(store, claim(store))
    speaker.begin(0)
    seen = [store.last_event()]
    for _ in range(20):
        speaker.speak(1)
        (event,) = store.events(seen[-1])
        assert event.kind == "progress" and store.events(0) == [event]
        seen.append(event.number)
    assert seen == sorted(set(seen))


def test_whoever_comes_back_after_any_event_learns_of_the_end(store: Store) -> None:
    job = submit(store)
    told = [0]
    speaker = Speaker(store, claim(store))
    for n in range(2):
        speaker.begin(n)
        speaker.speak(2)
        told.append(store.last_event())
        speaker.end()
        told.append(store.last_event())
    store.finish(speaker.job, "done")
    for after in told:
        assert store.events(after, job=job.id)[-1].kind == "done"
    assert [event.kind for event in store.events(0)] == ["segment", "segment", "done"]


def test_numbers_are_never_used_again_though_jobs_are_deleted(store: Store) -> None:
    job = done(store)
    last = store.last_event()
    store.delete(job.id)
    assert store.last_event() == last
    submit(store)
    assert [event.number for event in store.events(0)] == [last + 1]


def test_an_end_that_was_an_error_says_so(store: Store) -> None:
    submit(store)
    job = claim(store)
    store.finish(job, "failed", "too_long", "Shorten it.")
    assert [(event.kind, event.data) for event in store.events(0)] == [("error", {"state": "failed"})]


def test_shares_say_who_waits_for_whom(store: Store) -> None:
    for user in ("ana", "ana", "li"):
        submit(store, user)
    claim(store)
    assert sorted(store.shares(), key=str) == [
        ("ana", "queued", None, 1),
        ("ana", "running", "runner", 1),
        ("li", "queued", None, 1),
    ]
    assert (store.waiting(), store.running()) == (2, 1)

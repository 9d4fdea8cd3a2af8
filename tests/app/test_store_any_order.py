"""Whatever happens in whatever order: every job ends, and nothing is heard twice or left out."""

import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from storing import LEASE_S, Clock, Speaker, alive, heard, new_job
from vibevoice.jobs.model import FINAL, Job, State, Take
from vibevoice.jobs.sound import whole
from vibevoice.jobs.store import Conflict, LeaseLost, NoSuchJob, Store

RUNNERS = st.sampled_from(["a", "b", "c"])
USERS = st.sampled_from(["ana", "li"])
PICK = st.integers(0, 2**16)


class Project(RuleBasedStateMachine):
    """Two users, three runners of which any may stop for a while or die, and a clock.

    A runner is a Speaker for each job that it believes to hold; one that is frozen learns nothing and does
    nothing until it goes on, when it goes on as if no time had passed.
    """

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.clock = Clock()
        self.store = Store(Path(self._folder.name), self.clock)
        self.held: defaultdict[str, list[Speaker]] = defaultdict(list)
        self.frozen: set[str] = set()
        self.jobs: set[str] = set()
        self.last_event = 0
        self.whole: dict[tuple[str, int], bytes] = {}

    def teardown(self) -> None:
        """Everybody is well again: every job comes to its end."""
        self.frozen.clear()
        self.held.clear()
        self.clock.now += 10_000
        for _ in range(200):
            jobs = self.store.claim("last", LEASE_S, 1)
            if not jobs:
                break
            Speaker(self.store, jobs[0]).all(2)
        assert {job.state for job in self._all()} <= set(FINAL)
        self.jobs_are_what_was_saved()
        self._folder.cleanup()

    # --- people --------------------------------------------------------------------------------------------

    @rule(user=USERS, kind=st.sampled_from(["job", "job", "speech"]), segments=st.integers(1, 3))
    def submit(self, user: str, kind: str, segments: int) -> None:
        (job,) = self.store.submit([new_job(segments, kind=kind)], user)
        self.jobs.add(job.id)

    @precondition(lambda self: self.jobs)
    @rule(pick=PICK)
    def cancel(self, pick: int) -> None:
        before = self._pick(pick)
        after = self.store.cancel(before.id)
        assert after.state in FINAL or after.cancelling
        if before.final:
            assert after == before

    @precondition(lambda self: self.jobs)
    @rule(pick=PICK)
    def delete(self, pick: int) -> None:
        job = self._pick(pick)
        self.store.delete(job.id)
        self.jobs.remove(job.id)
        with pytest.raises(NoSuchJob):
            self.store.get(job.id)

    @precondition(lambda self: self.jobs)
    @rule(pick=PICK)
    def retry(self, pick: int) -> None:
        job = self._pick(pick)
        if job.state in ("failed", "cancelled"):
            assert self.store.retry(job.id).state == "queued"
        else:
            with pytest.raises(Conflict):
                self.store.retry(job.id)

    @precondition(lambda self: self.jobs)
    @rule(pick=PICK, n=st.integers(0, 2))
    def regenerate(self, pick: int, n: int) -> None:
        job = self._pick(pick)
        if job.final and n < len(job.segments):
            coming = self.store.regenerate(job.id, n).segments[n].coming
            assert coming and coming.pieces == ()
            assert all(take is None or take.number < coming.number for take in takes_of(job, n))
        else:
            with pytest.raises(Conflict):
                self.store.regenerate(job.id, n)

    # --- runners -------------------------------------------------------------------------------------------

    @rule(runner=RUNNERS, most=st.integers(1, 2))
    def claim(self, runner: str, most: int) -> None:
        if runner in self.frozen:
            return
        jobs = self._all()
        places = {job.id: self.store.place(job).position for job in jobs if job.state == "queued"}
        if any(job.cancelling for job in jobs):
            # One that ends now, for its runner is gone, may give its user's next one an earlier turn.
            places.clear()
        for job in self.store.claim(runner, LEASE_S, most):
            self.held[runner].append(Speaker(self.store, job))
            assert job.state == "running" and not job.cancelling
            # Nobody is passed over, but for those whose runner is gone.
            place = places.get(job.id)
            assert place is None or place <= most

    @rule(runner=RUNNERS, pick=PICK, saved=st.integers(0, 2), unsaved=st.integers(0, 1))
    def speak(self, runner: str, pick: int, saved: int, unsaved: int) -> None:
        if speaker := self._speaker(runner, pick):
            self._do(speaker, lambda: self._speak(speaker, saved, unsaved))

    def _speak(self, speaker: Speaker, saved: int, unsaved: int) -> None:
        coming = [segment.n for segment in speaker.job.segments if segment.coming]
        if not coming:
            return
        if speaker.n != coming[0]:
            speaker.begin(coming[0])
        try:
            speaker.speak(saved)
            speaker.write(unsaved)
        except FileNotFoundError:
            # The job's folder went with the job.
            raise LeaseLost from None

    @rule(runner=RUNNERS, pick=PICK)
    def end_segment(self, runner: str, pick: int) -> None:
        speaker = self._speaker(runner, pick)
        if speaker and speaker.n >= 0 and speaker.job.segments[speaker.n].coming:
            # A runner saves all that it has before it says that a take is whole.
            self._do(speaker, lambda: (speaker.save(), speaker.end()))

    @rule(runner=RUNNERS, pick=PICK, state=st.sampled_from(["done", "failed"]))
    def end(self, runner: str, pick: int, state: State) -> None:
        speaker = self._speaker(runner, pick)
        if not speaker or (state == "done" and any(segment.coming for segment in speaker.job.segments)):
            return
        if self._do(speaker, lambda: self.store.finish(speaker.job, state)):
            self.held[runner].remove(speaker)

    @rule(runner=RUNNERS, pick=PICK, reason=st.sampled_from(["", "yielded", "disk_full"]))
    def release(self, runner: str, pick: int, reason: str) -> None:
        speaker = self._speaker(runner, pick)
        if speaker and self._do(speaker, lambda: self.store.release(speaker.job, reason)):
            self.held[runner].remove(speaker)

    @rule(runner=RUNNERS)
    def renew(self, runner: str) -> None:
        if runner in self.frozen or not self.held[runner]:
            return
        # Of several leases on one job the last is the one that may be good.
        epochs = {speaker.job.id: speaker.job.epoch for speaker in self.held[runner]}
        answers = self.store.renew(runner, epochs, LEASE_S)
        for speaker in tuple(self.held[runner]):
            answer = answers[speaker.job.id] if epochs[speaker.job.id] == speaker.job.epoch else "lost"
            if answer == "cancel" and not self._do(
                speaker, lambda speaker=speaker: self.store.finish(speaker.job, "cancelled")
            ):
                continue
            if answer != "ok":
                self.held[runner].remove(speaker)

    @rule(runner=RUNNERS)
    def freeze_or_go_on(self, runner: str) -> None:
        self.frozen ^= {runner}

    @rule(runner=RUNNERS)
    def die(self, runner: str) -> None:
        self.held[runner].clear()
        self.frozen.discard(runner)

    @rule(seconds=st.sampled_from([1.0, LEASE_S / 2, LEASE_S + 1, -LEASE_S]))
    def time_passes(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule(runner=RUNNERS)
    def beat(self, runner: str) -> None:
        alive(self.store, runner)

    @rule()
    def sweep(self) -> None:
        self.store.sweep(older_than_s=10**9, most_bytes=10**12, reserve=0)

    # --- what holds at any time ----------------------------------------------------------------------------

    @invariant()
    def jobs_are_what_was_saved(self) -> None:
        """Of each segment, all frames of the take that is heard, from the first, each once."""
        for job in self._all():
            for segment in job.segments:
                if segment.heard:
                    sound = b"".join(whole(self.store, job, segment.n))
                    take = segment.heard.number
                    count = segment.heard.frames
                    assert heard(sound) == [(segment.n, take, k) for k in range(count)]
                    # A finished take never changes.
                    assert self.whole.setdefault((job.id + f"/{segment.n}", take), sound) == sound
                if segment.coming:
                    saved = self.store.saved(job, segment.n, segment.coming)
                    assert (saved.count if saved else 0) == segment.coming.frames

    @invariant()
    def what_is_there_adds_up(self) -> None:
        jobs = self._all()
        assert {job.id for job in jobs} == self.jobs
        for job in jobs:
            assert (job.runner is not None) == (job.state == "running")
            assert (job.ended is not None) == job.final
            assert job.state != "done" or job.audible
            assert all(segment.heard or segment.coming for segment in job.segments)
        waiting = [job for job in jobs if job.state == "queued"]
        assert sorted(self.store.place(job).position or 0 for job in waiting) == [*range(1, len(waiting) + 1)]

    @invariant()
    def events_rise_and_tell_of_each_end(self) -> None:
        last = self.store.last_event()
        assert last >= self.last_event
        self.last_event = last
        events = self.store.events(0)
        assert [event.number for event in events] == sorted({event.number for event in events})
        for job in self._all():
            kinds = [event.kind for event in events if event.job == job.id]
            assert kinds.count("progress") + kinds.count("done") + kinds.count("error") <= 2
            if job.final:
                assert kinds[-1] == ("error" if job.state == "failed" else "done")

    # --- helpers -------------------------------------------------------------------------------------------

    def _all(self) -> list[Job]:
        return [self.store.get(id) for id in sorted(self.jobs)]

    def _pick(self, pick: int) -> Job:
        return self.store.get(sorted(self.jobs)[pick % len(self.jobs)])

    def _speaker(self, runner: str, pick: int) -> Speaker | None:
        held = self.held[runner]
        return held[pick % len(held)] if held and runner not in self.frozen else None

    def _do(self, speaker: Speaker, action: Callable[[], object]) -> bool:
        """Whether the lease still held; if not, the runner forgets the job, and nothing has changed."""
        before = {job.id: job for job in self._all()}
        now = before.get(speaker.job.id)
        holds = (
            now is not None
            and now.state == "running"
            and (now.runner, now.epoch) == (speaker.job.runner, speaker.job.epoch)
        )
        try:
            action()
        except LeaseLost:
            assert not holds
            assert {job.id: job for job in self._all()} == before
            for held in self.held.values():
                if speaker in held:
                    held.remove(speaker)
            return False
        return True


def takes_of(job: Job, n: int) -> list[Take | None]:
    return [job.segments[n].heard, job.segments[n].coming]


Project.TestCase.settings = settings(
    max_examples=10,
    stateful_step_count=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestAnyOrder = Project.TestCase

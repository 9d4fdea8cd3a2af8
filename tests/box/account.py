"""The account of generations: every job that was accepted ends done once, with all of its sound, and once."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import requests

from tests.box.jobs import FINAL, FRAME, TOLERANCE, Job, Jobs, complete, talk
from tests.box.lab import Lab, Login
from tests.box.patience import PATIENCE
from tests.box.sound import RATE, pcm_of_wav
from tests.box.traffic import SCRIPT, SEED, Accepted, Traffic

# Two and a half minutes of speech in two segments: some ten seconds of work.
TALK = talk(26)
LOOK_S = 0.5
AT_ONCE = 4
ENDS_WITHIN_S = 240.0 * PATIENCE
SPOKEN_WITHIN_S = 90.0 * PATIENCE


@dataclass(frozen=True)
class Undisturbed:
    """What the two scripts sound like when nothing happens: s16le at 24 kHz, by script."""

    sounds: Mapping[str, bytes]

    @classmethod
    def heard(cls, jobs: Jobs) -> Undisturbed:
        """Have them spoken."""
        ids = {script: jobs.submit(script, seed=SEED) for script in (TALK, SCRIPT)}
        sounds = {}
        for script, id in ids.items():
            jobs.done(id)
            sounds[script] = complete(jobs, id)
            jobs.delete(id)
        return cls(sounds)


@dataclass
class Talker:
    """Keeps one longer job under way, one after the other, so that a fault always meets one, and somebody who
    listens to its events."""

    jobs: Jobs
    traffic: Traffic
    accepted: list[Accepted] = field(default_factory=list)

    @contextmanager
    def talking(self) -> Iterator[None]:
        """From the moment at which the first is being spoken."""
        end, spoken = threading.Event(), threading.Event()
        self._listeners: list[threading.Thread] = []
        thread = threading.Thread(target=self._talk, args=(end, spoken), daemon=True)
        thread.start()
        try:
            assert spoken.wait(SPOKEN_WITHIN_S), f"{self.jobs.login.project}: nothing is spoken"
            yield
        finally:
            end.set()
            for each in (thread, *self._listeners):
                each.join(ENDS_WITHIN_S)

    def _talk(self, end: threading.Event, spoken: threading.Event) -> None:
        while not end.is_set():
            title = f"{self.traffic.tag} talk {len(self.accepted)} {time.monotonic():.0f}"
            # Beside the requests that are counted: what fails here is asked again, as something else.
            answer = self._ask("POST", "v1/jobs", json={"input": TALK, "seed": SEED, "title": title})
            if answer is None or answer.status_code != 201:
                end.wait(1.0)
                continue
            job = Accepted(self.jobs.login.project, answer.json()["id"], title)
            self.accepted.append(job)
            listener = threading.Thread(target=self.traffic.follow, args=(job,), daemon=True)
            self._listeners.append(listener)
            listener.start()
            self._wait_for(job, end, spoken)

    def _wait_for(self, job: Accepted, end: threading.Event, spoken: threading.Event) -> None:
        while not end.wait(LOOK_S):
            answer = self._ask("GET", f"v1/jobs/{job.id}")
            if answer is None or answer.status_code != 200:
                continue
            if answer.json()["progress"]["audio_s"] > 0:
                spoken.set()
            if answer.json()["state"] in FINAL:
                return

    def _ask(self, method: str, path: str, **options: object) -> requests.Response | None:
        try:
            return self.jobs.ask(method, path, timeout=10, **options)
        except requests.RequestException:
            return None


@dataclass(frozen=True)
class Closed:
    """What became of the accepted jobs; an entry a job, with what is wrong."""

    jobs: int
    lost: list[str]
    doubled: list[str]


class Account:
    """Jobs of a load, by its tag, counted once it is over."""

    def __init__(
        self, lab: Lab, logins: Mapping[str, Login], keys: Mapping[str, str], undisturbed: Undisturbed
    ) -> None:
        self._lab, self._logins, self._keys, self._undisturbed = lab, logins, keys, undisturbed

    def close(self, tag: str, accepted: list[Accepted], limit_s: float = ENDS_WITHIN_S) -> Closed:
        """Wait for all jobs' ends, listen to each, look for others of the tag, and delete them."""
        closed = Closed(len(accepted), [], [])
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for lost, doubled in pool.map(lambda job: self._examine(job, limit_s), accepted):
                closed.lost.extend(lost)
                closed.doubled.extend(doubled)
        for project in self._keys:
            with self._jobs(project) as jobs:
                closed.doubled.extend(_twice(jobs, tag))
        return closed

    def _examine(self, accepted: Accepted, limit_s: float) -> tuple[list[str], list[str]]:
        """What of the job is lost, and what is doubled."""
        with self._jobs(accepted.project) as jobs:
            try:
                job = jobs.until(accepted.id, lambda job: job["state"] in FINAL, limit_s, "ended")
                if job["state"] != "done":
                    return [f"{accepted.id} was {job['state']}: {job['error']}"], []
                sound = _whole(jobs, job)
            except AssertionError as error:
                return [str(error)], []
            ends = _ends(jobs, accepted.id)
        script = TALK if "talk" in accepted.title else SCRIPT
        lost, doubled = compared(sound, self._undisturbed.sounds[script])
        if ends != 1:
            doubled.append(f"it ended {ends} times")
        return [f"{accepted.id}: {one}" for one in lost], [f"{accepted.id}: {one}" for one in doubled]

    def _jobs(self, project: str) -> Jobs:
        return Jobs(self._lab, self._logins[project], self._keys[project])


def _whole(jobs: Jobs, job: Job) -> bytes:
    """Its samples; AssertionError unless it is as long as it says, and its segments follow each other."""
    if len(job["segments"]) > 1:
        return complete(jobs, job["id"])
    sound = pcm_of_wav(jobs.audio(job["id"]))
    length_s = len(sound) / 2 / RATE
    assert abs(length_s - job["progress"]["audio_s"]) < 0.001, f"{job['id']}: {length_s} s, {job['progress']}"
    return sound


def compared(sound: bytes, undisturbed: bytes) -> tuple[list[str], list[str]]:
    """What is missing, and what is there twice. No frame of the tiny model's sound is like another.

    Whoever goes on has computed the past in another order, and says the rest a little differently: so lengths
    are compared, and not samples.
    """
    frames = [sound[n : n + 2 * FRAME] for n in range(0, len(sound), 2 * FRAME)]
    twice = len(frames) - len(set(frames))
    length, expected = len(sound) // 2, len(undisturbed) // 2
    lost = (
        [f"{length} samples of {expected}"] if length < (1 - TOLERANCE) * expected or length % FRAME else []
    )
    doubled = [f"{twice} frames are there twice"] if twice else []
    if length > (1 + TOLERANCE) * expected:
        doubled.append(f"{length} samples instead of {expected}")
    return lost, doubled


def _ends(jobs: Jobs, id: str) -> int:
    """How many last events the store has of a job: whoever has heard the first of all is told the others."""
    answer = jobs.ask("GET", f"v1/jobs/{id}/events", headers={"Last-Event-ID": "0"})
    assert answer.status_code == 200, f"{id}: {answer.status_code} {answer.text[:200]}"
    return sum(line in ("event: done", "event: error") for line in answer.text.splitlines())


def _twice(jobs: Jobs, tag: str) -> list[str]:
    """Titles under which there is more than one job: one request that was taken twice. All are deleted."""
    found: list[Job] = []
    while page := jobs.history(search=tag, limit=100):
        found += page
        for job in page:
            jobs.delete(job["id"])
    titles = Counter(json.dumps(job["title"]) for job in found)
    return [f"{jobs.login.project}: {title} {count} times" for title, count in titles.items() if count > 1]

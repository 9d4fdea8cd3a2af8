"""A project's jobs, handed in and followed through the gateway by one of its users."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

import requests

from tests.box.lab import Lab, Login
from tests.box.sound import OPEN, RATE, pcm_of_wav
from tests.box.web import TIMEOUT_S, session

Job = dict[str, Any]
FINAL = ("done", "failed", "cancelled")
LOOK_S = 0.3
# Samples of a frame.
FRAME = 3200
TOLERANCE = 0.02


class Jobs:
    """One user's jobs of one project. ``key``: a key of the door's, instead of name and password."""

    def __init__(self, lab: Lab, login: Login, key: str = "") -> None:
        self.login = login
        self.web = session(lab.domain, lab.gateway_ip, lab.ca_root)
        if key:
            self.web.headers["Authorization"] = f"Bearer {key}"
        else:
            self.web.auth = login.auth

    def __enter__(self) -> Jobs:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.web.close()

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        """Any request below the project's address."""
        return self.web.request(method, f"{self.login.url}{path}", **{"timeout": TIMEOUT_S, **options})

    def submit(self, script: str, **order: Any) -> str:
        """Hand a script in; its id."""
        answer = self.ask("POST", "v1/jobs", json={"input": script, **order})
        assert answer.status_code == 201, f"{answer.status_code} {answer.text[:500]}"
        return answer.json()["id"]

    def get(self, id: str) -> Job:
        answer = self.ask("GET", f"v1/jobs/{id}")
        assert answer.status_code == 200, f"{id}: {answer.status_code} {answer.text[:500]}"
        return answer.json()

    def history(self, **query: Any) -> list[Job]:
        """The newest first."""
        answer = self.ask("GET", "v1/jobs", params=query)
        assert answer.status_code == 200, f"{answer.status_code} {answer.text[:500]}"
        return answer.json()["data"]

    def until(self, id: str, seen: Callable[[Job], Any], limit_s: float, what: str) -> Job:
        """The job once ``seen`` is true of it; no answer counts as not yet, as while a host reboots."""
        end, last = time.monotonic() + limit_s, "nothing"
        while time.monotonic() < end:
            try:
                answer = self.ask("GET", f"v1/jobs/{id}", timeout=10)
                last = f"{answer.status_code} {answer.text[:800]}"
                if answer.status_code == 200 and seen(job := answer.json()):
                    return job
                assert answer.status_code in (200, 502, 503, 504), f"{id}: {last}"
            except requests.RequestException as error:
                last = repr(error)
            time.sleep(LOOK_S)
        raise AssertionError(f"{id}: not {what} within {limit_s:.0f} s; last: {last}")

    def speaking(self, id: str, seconds: float = 0.0, limit_s: float = 90) -> Job:
        """The job, as soon as more than ``seconds`` of it are spoken, and it runs."""

        def heard(job: Job) -> bool:
            assert job["state"] not in FINAL, f"{id} was {job['state']} before it was looked at"
            return job["state"] == "running" and job["progress"]["audio_s"] > seconds

        return self.until(id, heard, limit_s, f"spoken beyond {seconds:g} s")

    def done(self, id: str, limit_s: float = 180) -> Job:
        """The job, once it is done; AssertionError if it comes to another end."""
        job = self.until(id, lambda job: job["state"] in FINAL, limit_s, "ended")
        assert job["state"] == "done", f"{id} was {job['state']}: {job['error']}"
        return job

    def audio(self, id: str, format: str = "wav", **query: Any) -> bytes:
        answer = self.ask("GET", f"v1/jobs/{id}/audio", params={"format": format, **query}, timeout=180)
        assert answer.status_code == 200, f"{id}: {answer.status_code} {answer.text[:500]}"
        return answer.content

    def samples(self, id: str, **query: Any) -> bytes:
        """The whole or a segment of it as s16le at 24 kHz."""
        content = self.audio(id, **query)
        assert content[4:8] != OPEN, "a file's length is known"
        return pcm_of_wav(content)

    def delete(self, id: str) -> None:
        answer = self.ask("DELETE", f"v1/jobs/{id}")
        assert answer.status_code == 200, f"{id}: {answer.status_code} {answer.text[:500]}"


def talk(turns: int, words: str = "This is a sentence of a rather long conversation, number") -> str:
    """A script of two speakers who take turns; no two turns are the same."""
    return "\n".join(f"Speaker {1 + n % 2}: {words} {n + 1}." for n in range(turns))


def complete(jobs: Jobs, id: str) -> bytes:
    """The whole of a job that is done; AssertionError unless it is its segments, one after the other."""
    job = jobs.get(id)
    whole = jobs.samples(id)
    parts = b"".join(jobs.samples(id, segment=segment["n"]) for segment in job["segments"])
    assert len(whole) == len(parts), f"{id}: {len(whole) // 2} samples, its segments have {len(parts) // 2}"
    assert whole == parts, f"{id}: its sound is not that of its segments"
    assert abs(len(whole) / 2 / RATE - job["progress"]["audio_s"]) < 0.001, f"{id}: {job['progress']}"
    return whole


def as_undisturbed(sound: bytes, undisturbed: bytes, until_s: float = 0.0) -> None:
    """AssertionError if anything of it is missing, or there twice.

    Up to ``until_s``, when it was disturbed, it is the same to the last bit. What comes later is another way
    of saying it: the engine that goes on has computed its past in another order, and the tiny model makes a
    difference in the last digit heard after a minute. So it is about as long, and no frame comes twice.
    """
    alike = int(until_s * RATE) // FRAME * FRAME * 2
    assert sound[:alike] == undisturbed[:alike], f"it differs within the first {until_s:.1f} s"
    length, expected = len(sound) / 2 / RATE, len(undisturbed) / 2 / RATE
    assert abs(length - expected) < TOLERANCE * expected, f"{length:.3f} s; undisturbed {expected:.3f} s"
    assert len(sound) % (2 * FRAME) == 0, "a part of a frame"
    frames = [sound[n : n + 2 * FRAME] for n in range(0, len(sound), 2 * FRAME)]
    assert len(set(frames)) == len(frames), f"{len(frames) - len(set(frames))} frames are there twice"

"""A job of many minutes, watched to its end: its events, its studio's memory, its file."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field

import requests
from testinfra.host import Host

from tests.box.containers import memory, studios
from tests.box.jobs import RATE, Job, Jobs, complete, talk
from tests.box.lab import Lab, Login

TURN = "And then there was another year of which nobody in the village would ever speak aloud, the year"
# Measured: the tiny model's seconds for a turn of such a script.
SECONDS_A_TURN = 7.28
LOOK_S = 2.0
# An idle machine takes about an eighth; this one may be busy.
SLOWEST = 0.6
GROWTH = 1.10


@dataclass
class Listener:
    """Somebody who has a job's event stream open from its beginning to its end."""

    jobs: Jobs
    id: str
    kinds: list[str] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    sofar: list[float] = field(default_factory=list)
    complaint: str = "it never began"

    def listen(self) -> None:
        """In a thread; ends with the stream."""
        try:
            with self.jobs.ask("GET", f"v1/jobs/{self.id}/events", stream=True, timeout=(10, 30)) as answer:
                answer.raise_for_status()
                self.complaint = "it ended without `done`"
                for line in answer.iter_lines(decode_unicode=True):
                    self._take(line)
        except requests.RequestException as error:
            self.complaint = f"it broke after {len(self.kinds)} events: {error!r}"

    def _take(self, line: str) -> None:
        name, _, value = line.partition(": ")
        if name == "id":
            self.numbers.append(int(value))
        elif name == "event":
            self.kinds.append(value)
            if value == "done":
                self.complaint = ""
        elif name == "data" and "progress" in (told := json.loads(value)):
            self.sofar.append(told["progress"]["audio_s"])


@dataclass(frozen=True)
class Long:
    """What became of it. Memory in bytes, by seconds of sound that there were."""

    audio_s: float
    took_s: float
    memory: list[tuple[float, int]]

    def after(self, audio_s: float) -> list[int]:
        """Memory once so much was spoken."""
        return [held for spoken, held in self.memory if spoken >= audio_s]

    def told(self, settled_s: float) -> str:
        """The figures, for a report."""
        held = self.after(settled_s)
        return (
            f"{self.audio_s / 60:.1f} minutes of speech in {self.took_s / 60:.1f}; memory of the studio "
            f"{held[0] / 2**20:.0f} MiB after {settled_s / 60:.0f} minutes of it, at most "
            f"{max(held) / 2**20:.0f} MiB later ({max(held) / held[0] - 1:+.1%}), "
            f"{held[-1] / 2**20:.0f} MiB at the end"
        )


def speak(lab: Lab, node: Host, login: Login, minutes: float, settled_s: float) -> Long:
    """Have so many minutes spoken on a node's only studio. AssertionError unless all came through whole.

    Args:
        settled_s: seconds of speech after which memory must not grow any more.
    """
    (studio,) = studios(node)
    with Jobs(lab, login) as jobs, Jobs(lab, login) as another:
        id = jobs.submit(talk(round(minutes * 60 / SECONDS_A_TURN), TURN), title="A long one")
        listener = Listener(another, id)
        thread = threading.Thread(target=listener.listen, daemon=True)
        thread.start()
        begin, held = time.monotonic(), list[tuple[float, int]]()

        def look(job: Job) -> bool:
            held.append((job["progress"]["audio_s"], memory(node, studio.name)))
            time.sleep(LOOK_S)
            return job["state"] not in ("queued", "running")

        job = jobs.until(id, look, minutes * 60 * SLOWEST, "ended")
        took_s = time.monotonic() - begin
        assert job["state"] == "done", f"{job['state']}: {job['error']}"
        thread.join(30)
        whole = complete(jobs, id)
        held.append((job["progress"]["audio_s"], memory(node, studio.name)))
        jobs.delete(id)
    long = Long(len(whole) / 2 / RATE, took_s, held)
    print(long.told(settled_s))
    _heard(listener, long)
    assert long.audio_s > 0.95 * minutes * 60, f"only {long.audio_s / 60:.1f} minutes: see SECONDS_A_TURN"
    assert max(long.after(settled_s)) < GROWTH * long.after(settled_s)[0], long.told(settled_s)
    return long


def _heard(listener: Listener, long: Long) -> None:
    """The stream told everything, in order, to the end."""
    assert not listener.complaint, f"the event stream: {listener.complaint}"
    assert listener.kinds[-1] == "done"
    assert listener.numbers == sorted(set(listener.numbers)), "event numbers went back, or came twice"
    assert listener.sofar == sorted(listener.sofar), "progress went back"
    assert abs(listener.sofar[-1] - long.audio_s) < 0.01

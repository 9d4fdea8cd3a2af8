"""Twenty requests a second by clients without retries, while something happens to the site."""

from __future__ import annotations

import http.client
import itertools
import json
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.box.lab import Lab, Login
from tests.box.once import Client, Refused
from tests.box.patience import PATIENCE
from tests.box.sound import pcm_of_wav

PAGE, SUBMIT, SPEECH, STREAM = "page", "job submit", "sync speech", "event stream"
KINDS = (PAGE, SUBMIT, SPEECH, STREAM)

# Of each second. A job that was taken is followed to its last event, which makes the twentieth request. The
# tiny model takes a fifth of a second for such a script, and two cores carry lab, studios and these clients.
SECOND = (SUBMIT, *[PAGE] * 9, SPEECH, *[PAGE] * 8)
PER_SECOND = len(SECOND) + 1
SCRIPT = "Speaker 1: Yes."
SEED = 7
LONGEST_S = 900.0
# Beyond these a request of the kind gives its place to a page: a project's limits are not what is tried here.
MOST_OPEN = {STREAM: 10, SPEECH: 8}
MOST_THREADS = 250

# Longest silence of the server. Event streams have a heartbeat every 5 s.
SILENCE_S = {kind: s * PATIENCE for kind, s in {PAGE: 10, SUBMIT: 10, SPEECH: 30, STREAM: 16}.items()}
STREAM_S = 240.0 * PATIENCE
# How long an EventSource waits before it goes on, if the server does not say.
RECONNECT_S = 1.0


@dataclass(frozen=True)
class Outcome:
    """One request: when it began and ended (monotonic), and what went wrong, empty if nothing did."""

    kind: str
    project: str
    begin: float
    end: float
    problem: str = ""


@dataclass(frozen=True)
class Accepted:
    """A job that was taken: its title is its own alone."""

    project: str
    id: str
    title: str


@dataclass
class Traffic:
    """Runs from ``with`` to its end. ``keys``: of each project, made at the door."""

    lab: Lab
    logins: Mapping[str, Login]
    keys: Mapping[str, str]
    tag: str = field(default_factory=lambda: f"load-{secrets.token_hex(4)}")
    outcomes: list[Outcome] = field(default_factory=list)
    accepted: list[Accepted] = field(default_factory=list)
    continued: int = 0
    """Event streams that a studio ended with `bye` and that were gone on with, as the protocol says."""
    unsent: int = 0
    """Requests for which this machine had no room."""

    def __post_init__(self) -> None:
        self._clients = {project: Client(self.lab, key) for project, key in self.keys.items()}
        self._paths = {project: urlsplit(self.logins[project].url).path for project in self.keys}
        self._numbers = itertools.count()
        self._turns = {kind: itertools.cycle(self._places()) for kind in KINDS}
        self._open: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._threads: set[threading.Thread] = set()
        self._pacer = threading.Thread(target=self._pace, name="pacer", daemon=True)
        self._does: dict[str, Callable[[str, bool], None]] = {
            PAGE: self._page,
            SUBMIT: self._submit,
            SPEECH: self._speak,
        }

    def __enter__(self) -> Traffic:
        self._pacer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        for client in self._clients.values():
            client.close()

    @property
    def found_closed(self) -> int:
        """Kept connections that the server had closed before they were used again."""
        return sum(client.found_closed for client in self._clients.values())

    def failures(self, since: float = 0.0) -> list[Outcome]:
        """What went wrong with requests that began after ``since``, in order."""
        return sorted(
            (one for one in list(self.outcomes) if one.problem and one.begin >= since),
            key=lambda one: one.begin,
        )

    def well_since(self, begin: float) -> float | None:
        """From when on every kind succeeds on every project; ``begin`` if nothing failed, None if not yet.

        A kind is back with the first request that succeeds and began after the last that failed.
        """
        back = begin
        seen = list(self.outcomes)
        for project, kind in itertools.product(self.keys, KINDS):
            mine = [one for one in seen if (one.project, one.kind) == (project, kind) and one.begin >= begin]
            broken = max((one.begin for one in mine if one.problem), default=None)
            fine = [one.end for one in mine if not one.problem and one.begin > (broken or 0.0)]
            if not fine:
                return None
            if broken is not None:
                back = max(back, min(fine))
        return back

    def until_well(self, begin: float, limit_s: float, quiet_s: float = 8.0) -> float:
        """Wait until nothing fails for ``quiet_s`` from now on; since when all is well (see `well_since`).

        AssertionError after ``limit_s`` with what still fails.
        """
        now = time.monotonic()
        while time.monotonic() < now + limit_s:
            back = self.well_since(begin)
            last = max((one.end for one in self.failures(begin)), default=begin)
            if back is not None and time.monotonic() - max(back, last, now) > quiet_s:
                return back
            time.sleep(0.2)
        told = "\n".join(f"  {one.project} {one.kind}: {one.problem}" for one in self.failures(begin)[-12:])
        raise AssertionError(f"not in full service after {limit_s:.0f} s; the last failures:\n{told}")

    def follow(self, job: Accepted) -> None:
        """Listen to a job's events to its last one; counted as any other stream."""
        self._try(STREAM, job.project, lambda: self._follow(job))

    def stop(self) -> None:
        """Send no more, and wait for what is under way: streams go on to their last event."""
        self._end.set()
        self._pacer.join(5)
        end = time.monotonic() + STREAM_S
        for thread in list(self._threads):
            thread.join(max(0.0, end - time.monotonic()))
        assert not any(thread.is_alive() for thread in self._threads), "requests without an end"

    # --- the pace ------------------------------------------------------------------------------------------

    def _places(self) -> list[tuple[str, bool]]:
        """Each project in turn, on new and on kept connections."""
        return [(project, kept) for kept in (False, True) for project in self.keys]

    def _pace(self) -> None:
        begin = time.monotonic()
        for number, kind in enumerate(itertools.cycle(SECOND)):
            due = begin + number / len(SECOND)
            if self._end.wait(max(0.0, due - time.monotonic())) or due > begin + LONGEST_S:
                return
            self._send(kind)

    def _send(self, kind: str) -> None:
        project, kept = next(self._turns[kind])
        heavy = STREAM if kind == SUBMIT else kind
        if self._open[project, heavy] >= MOST_OPEN.get(heavy, MOST_THREADS):
            kind = PAGE
        self._threads = {thread for thread in self._threads if thread.is_alive()}
        if len(self._threads) >= MOST_THREADS:
            self.unsent += 1
            return
        thread = threading.Thread(target=self._does[kind], args=(project, kept), daemon=True)
        self._threads.add(thread)
        thread.start()

    def _try(self, kind: str, project: str, do: Callable[[], None]) -> bool:
        """Do it, and note what came of it."""
        begin, problem = time.monotonic(), ""
        with self._lock:
            self._open[project, kind] += 1
        try:
            do()
        except (OSError, http.client.HTTPException, Refused, AssertionError, ValueError) as error:
            problem = f"{type(error).__name__}: {error}" if not isinstance(error, Refused) else str(error)
        with self._lock:
            self._open[project, kind] -= 1
            self.outcomes.append(Outcome(kind, project, begin, time.monotonic(), problem))
        return not problem

    # --- the requests --------------------------------------------------------------------------------------

    def _page(self, project: str, kept: bool) -> None:
        def do() -> None:
            path, headers = self._paths[project], {"Accept": "text/html"}
            answer = self._clients[project].ask(
                "GET", path, kept=kept, limit_s=SILENCE_S[PAGE], headers=headers
            )
            assert b"gradio_config" in answer.body, f"not the studio's page: {answer.first_line}"

        self._try(PAGE, project, do)

    def _speak(self, project: str, kept: bool) -> None:
        order = {"model": "vibevoice", "voice": "default", "input": SCRIPT, "seed": SEED}

        def do() -> None:
            answer = self._post(project, "v1/audio/speech", SPEECH, kept, order | {"response_format": "wav"})
            assert len(pcm_of_wav(answer)) > 0, "no sound"

        self._try(SPEECH, project, do)

    def _submit(self, project: str, kept: bool) -> None:
        title = f"{self.tag} {next(self._numbers)}"
        taken: list[Accepted] = []

        def do() -> None:
            order = {"input": SCRIPT, "seed": SEED, "title": title}
            answer = self._post(project, "v1/jobs", SUBMIT, kept, order, wants=201)
            taken.append(Accepted(project, json.loads(answer)["id"], title))

        if self._try(SUBMIT, project, do):
            self.accepted.append(taken[0])
            self.follow(taken[0])

    def _post(
        self, project: str, path: str, kind: str, kept: bool, order: Mapping[str, object], wants: int = 200
    ) -> bytes:
        body, headers = json.dumps(order).encode(), {"Content-Type": "application/json"}
        path = f"{self._paths[project]}{path}"
        client, limit_s = self._clients[project], SILENCE_S[kind]
        return client.ask(
            "POST", path, wants=wants, kept=kept, limit_s=limit_s, body=body, headers=headers
        ).body

    def _follow(self, job: Accepted) -> None:
        """A job's event stream to its last event."""
        end, last, kind = time.monotonic() + STREAM_S, "", ""
        while True:
            headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last} if last else {})
            path = f"{self._paths[job.project]}v1/jobs/{job.id}/events"
            for line in self._clients[job.project].lines(path, limit_s=SILENCE_S[STREAM], headers=headers):
                name, _, value = line.partition(": ")
                last = value if name == "id" else last
                kind = value if name == "event" else kind
                assert time.monotonic() < end, f"{job.id}: no last event in {STREAM_S:.0f} s"
            if kind == "done":
                return
            assert kind == "bye", f"{job.id}: the stream ended after {kind or 'nothing'}"
            with self._lock:
                self.continued += 1
            time.sleep(RECONNECT_S)

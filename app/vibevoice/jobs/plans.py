"""Who waits for what: places in the queue, and whether there is one."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from . import queue
from .base import Base
from .errors import TooManyWaiting
from .model import Job, NewJob, Place, State

# Seconds after which a plan is made anew, if nothing has happened before.
PLAN_S = 0.5
# When nobody knows how fast runners are: seconds after which to ask again.
UNKNOWN_S = {"speech": 5.0, "job": 30.0}


class Plans(Base):
    """What the queue is asked."""

    def __init__(self, folder: Path, now: Callable[[], float]) -> None:
        super().__init__(folder, now)
        self._planned: tuple[float, str, queue.Plan | None] = (0.0, "", None)

    def place(self, job: Job) -> Place:
        """Where an unfinished job stands; of a final one, nowhere."""
        return self._plan().places.get(job.number, Place(None, None))

    def _plan(self) -> queue.Plan:
        """What is to come: made once for all that is asked at a time."""
        with self.file.reading() as db:
            # Whatever changes a plan is an event, but for a deletion.
            (stamp,) = db.execute(
                "SELECT (SELECT seq FROM sqlite_sequence WHERE name = 'events') || ' ' || count(*) "
                "FROM jobs WHERE state IN ('queued', 'running')"
            ).fetchone()
            made, before, plan = self._planned
            if plan is None or before != stamp or time.monotonic() - made >= PLAN_S:
                plan = queue.plan(queue.unfinished(db), self.runners())
                self._planned = (time.monotonic(), stamp, plan)
        return plan

    def should_yield(self, job: Job) -> bool:
        """Whether somebody waits who has fewer jobs spoken, and no runner that is alive has room."""
        streams = sum(runner.streams for runner in self.runners())
        with self.file.reading() as db:
            jobs = queue.unfinished(db)
        running = Counter(other.user for other in jobs if other.running)
        if streams > running.total():
            return False
        return any(not other.running and running[other.user] < running[job.user] for other in jobs)

    def waiting(self) -> int:
        """Jobs of any kind that wait."""
        return self._count("queued")

    def running(self) -> int:
        """Jobs of any kind that are spoken."""
        return self._count("running")

    def shares(self) -> list[tuple[str, str, str | None, int]]:
        """Of unfinished jobs of both kinds: user, `queued` or `running`, who speaks them, how many."""
        with self.file.reading() as db:
            found = db.execute(
                "SELECT user, state, runner, count(*) FROM jobs WHERE state IN ('queued', 'running') "
                "GROUP BY user, state, runner"
            )
            return [tuple(row) for row in found]

    def _count(self, state: State) -> int:
        with self.file.reading() as db:
            return db.execute("SELECT count(*) FROM jobs WHERE state = ?", (state,)).fetchone()[0]

    def _check_waiting(self, new: Sequence[NewJob], most: int) -> None:
        """Raises TooManyWaiting if one of the kinds has no room for these."""
        streams = sum(runner.streams for runner in self.runners())
        with self.file.reading() as db:
            jobs = queue.unfinished(db)
        for kind, count in Counter(job.kind for job in new).items():
            # Whoever waits for an answer holds a place until it is there; a job only until it is begun.
            held = [job for job in jobs if job.kind == kind and (kind == "speech" or not job.running)]
            places = most + (streams if kind == "speech" else 0)
            over = len(held) + count - places
            if count > places:
                raise TooManyWaiting(
                    f"{count} generations at once are more than the {places} that may wait; submit fewer.",
                    UNKNOWN_S[kind],
                )
            if over > 0:
                raise TooManyWaiting(
                    f"{len(held)} generations are under way already, and no more than {most} may wait; "
                    "come back a little later."
                    if kind == "speech"
                    else f"{len(held)} jobs wait already, and {most} may; come back when some have begun.",
                    self._until(kind, held, over),
                )

    def _until(self, kind: str, held: Sequence[queue.Unfinished], over: int) -> float:
        """Seconds until `over` of those that hold a place will have left it."""
        plan = self._plan()
        if not plan.ends:
            return UNKNOWN_S[kind]
        times = [plan.ends[job.number] for job in held] if kind == "speech" else plan.starts
        return sorted(times)[over - 1]

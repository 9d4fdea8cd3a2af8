"""The job store: what a project is to speak, has spoken, and says of it while it does.

One SQLite file and a folder of sound, shared by all containers of the project. Whoever submits, lists or
listens asks here, never a runner, so it is all one which container they reached.
"""

import builtins
import json
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from . import rows
from .errors import (
    Conflict,
    Damaged,
    KeyReused,
    LeaseLost,
    NoSuchJob,
    NoSuchVoice,
    StoreError,
    TooManyWaiting,
)
from .leases import Leases, new_take
from .library import Library
from .model import FINAL, Event, Job, NewJob, State
from .plans import Plans
from .sweep import Sweep

__all__ = [
    "Conflict",
    "Damaged",
    "KeyReused",
    "LeaseLost",
    "NoSuchJob",
    "NoSuchVoice",
    "Store",
    "StoreError",
    "TooManyWaiting",
]

# Seconds for which an idempotency key is remembered.
KEY_S = 24 * 3600


class Store(Leases, Plans, Sweep):
    """For any thread. Every method may raise StoreError.

    `viewer` is a user who may see their own jobs only: others' are NoSuchJob. None sees all.
    """

    def __init__(self, folder: Path, now: Callable[[], float] = time.time) -> None:
        """In `folder`, with all others that use it; made if need be. Raises StoreError."""
        super().__init__(folder, now)
        self.library = Library(folder / "voices", self.file, now)

    def submit(
        self,
        new: Sequence[NewJob],
        user: str,
        *,
        most_waiting: int | None = None,
        key: str | None = None,
        fingerprint: str = "",
    ) -> list[Job]:
        """Accept jobs, all or none; several are one batch. They outlive a power cut.

        `most_waiting` of a kind may be queued; of speech, so many more than there are streams unfinished.
        The same `key` of the user's again, with the same fingerprint of the request: the jobs of the first
        time. Raises TooManyWaiting, KeyReused; Conflict if a job of the first time has been deleted.
        """
        with self.file.writing() as db:
            if key is not None and (before := self._before(user, key, fingerprint)) is not None:
                return before
            if most_waiting is not None:
                self._check_waiting(new, most_waiting)
            batch = rows.new_id("batch", 16) if len(new) > 1 else None
            numbers = [rows.insert(db, each, user, batch, self._now()) for each in new]
            for number in numbers:
                rows.emit(db, number, "progress", {"state": "queued"})
            jobs = [self._job(db, number) for number in numbers]
            if key is not None:
                db.execute(
                    "INSERT INTO keys (user, key, fingerprint, jobs, created) VALUES (?, ?, ?, ?, ?)",
                    (user, key, fingerprint, json.dumps([job.id for job in jobs]), self._now()),
                )
            return jobs

    def _before(self, user: str, key: str, fingerprint: str) -> builtins.list[Job] | None:
        with self.file.writing() as db:
            db.execute("DELETE FROM keys WHERE created <= ?", (self._now() - KEY_S,))
            row = db.execute(
                "SELECT fingerprint, jobs FROM keys WHERE user = ? AND key = ?", (user, key)
            ).fetchone()
            if row is None:
                return None
            if row["fingerprint"] != fingerprint:
                raise KeyReused("This idempotency key came with another request before; use a new one.")
            try:
                return [self.get(id, user) for id in json.loads(row["jobs"])]
            except NoSuchJob:
                raise Conflict(
                    "What this idempotency key was used for has been deleted; use a new one."
                ) from None

    def get(self, id: str, viewer: str | None = None, *, text: bool = True) -> Job:
        """A job; without `text` neither script nor turns are read. Raises NoSuchJob."""
        with self.file.reading() as db:
            (job,) = rows.jobs(db, [self._row(db, id, viewer)], text=text)
            return job

    def list(
        self,
        viewer: str | None = None,
        *,
        search: str = "",
        states: Collection[State] = (),
        before: int | None = None,
        limit: int = 50,
        text: bool = True,
    ) -> builtins.list[Job]:
        """The history, newest first, those before the job of number `before`.

        `search` is sought in titles and scripts, in whatever case; no states: all. Without `text` neither
        scripts nor turns are read.
        """
        where, values = ["kind = 'job'"], list[object]()
        if viewer is not None:
            where.append("user = ?")
            values.append(viewer)
        if states:
            where.append(f"state IN ({', '.join('?' * len(states))})")
            values += states
        if before is not None:
            where.append("number < ?")
            values.append(_bounded(before))
        if search:
            where.append(
                "(instr(casefold(title), ?) OR "
                "instr(casefold((SELECT script FROM scripts WHERE job = number)), ?))"
            )
            values += [search.casefold()] * 2
        with self.file.reading() as db:
            found = db.execute(
                f"SELECT * FROM jobs WHERE {' AND '.join(where)} ORDER BY number DESC LIMIT ?",
                (*values, _bounded(limit)),
            )
            return rows.jobs(db, found, text=text)

    def cancel(self, id: str, viewer: str | None = None) -> Job:
        """End a job: one that waits at once, one that is spoken within a moment, by its runner. What there is
        of it stays. A final one is left as it is. Raises NoSuchJob.
        """
        with self.file.writing() as db:
            row = self._row(db, id, viewer)
            if row["state"] == "queued" or (row["state"] == "running" and row["lease_until"] <= self._now()):
                self._end(db, row["number"], "cancelled")
            elif row["state"] == "running":
                db.execute("UPDATE jobs SET cancelling = 1 WHERE number = ?", (row["number"],))
                rows.emit(db, row["number"], "progress", {"state": "running"})
            return self._job(db, row["number"])

    def delete(self, id: str, viewer: str | None = None) -> None:
        """Forget a job and its sound, whatever it is about. Raises NoSuchJob."""
        with self.file.writing() as db:
            row = self._row(db, id, viewer)
            self._delete(db, row["id"])

    def rename(self, id: str, title: str, viewer: str | None = None) -> Job:
        """Give a job another title. Raises NoSuchJob."""
        with self.file.writing() as db:
            row = self._row(db, id, viewer)
            db.execute("UPDATE jobs SET title = ? WHERE number = ?", (title, row["number"]))
            if row["state"] not in FINAL:
                rows.emit(db, row["number"], "progress", {"state": row["state"]})
            return self._job(db, row["number"])

    def regenerate(self, id: str, n: int, viewer: str | None = None, *, seed: int | None = None) -> Job:
        """Speak a segment of a final job anew; the old take is heard until the new one is whole.

        Raises NoSuchJob; Conflict if the job is not over, or has no such segment.
        """
        with self.file.writing() as db:
            row = self._row(db, id, viewer)
            if row["state"] not in FINAL:
                raise Conflict("This job is not over yet; regenerate its segments once it is.")
            segment = db.execute(
                "SELECT coming FROM segments WHERE job = ? AND n = ?", (row["number"], _bounded(n))
            ).fetchone()
            if segment is None:
                raise Conflict(f"This job has no segment {n}.")
            for table, column in (("takes", "number"), ("pieces", "take")):
                db.execute(
                    f"DELETE FROM {table} WHERE job = ? AND n = ? AND {column} = ?",
                    (row["number"], n, segment["coming"]),
                )
            new_take(db, row["number"], n, seed)
            self._again(db, row["number"], last=True)
            return self._job(db, row["number"])

    def retry(self, id: str, viewer: str | None = None) -> Job:
        """Go on with a job that failed or was cancelled, behind what there is of it.

        Raises NoSuchJob; Conflict if it is done, or not over.
        """
        with self.file.writing() as db:
            row = self._row(db, id, viewer)
            if row["state"] not in ("failed", "cancelled"):
                raise Conflict("Only a job that failed or was cancelled can be tried again.")
            self._again(db, row["number"], last=True)
            return self._job(db, row["number"])

    def events(
        self, after: int, *, job: str | None = None, viewer: str | None = None
    ) -> builtins.list[Event]:
        """What happened since the event of number `after`, to one job or to all that the viewer sees.

        Of a job's `progress` there is only the last. Raises NoSuchJob for a `job` that is not there.
        """
        where, values = ["events.number > ?"], list[object]([_bounded(after)])
        with self.file.reading() as db:
            if job is not None:
                where.append("job = ?")
                values.append(self._row(db, job, viewer)["number"])
            elif viewer is not None:
                where.append("user = ?")
                values.append(viewer)
            found = db.execute(
                "SELECT events.number, id, events.kind, data FROM events JOIN jobs ON jobs.number = job "
                f"WHERE {' AND '.join(where)} ORDER BY events.number",
                values,
            )
            return [rows.event(row) for row in found]

    def last_event(self) -> int:
        """The number of the newest event there has been; 0 before the first."""
        with self.file.reading() as db:
            row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
            return row["seq"] if row else 0


def _bounded(number: int) -> int:
    """As near as SQLite's integers come to it."""
    return max(-(2**63), min(number, 2**63 - 1))

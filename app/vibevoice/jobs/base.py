"""What all parts of the job store stand on: its two databases, its folders, and who is alive."""

import os
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from . import rows, schema
from .database import Database, disk_errors
from .errors import NoSuchJob, StoreError
from .model import Job, RunnerState

ID = re.compile(r"job_[A-Za-z0-9]{24}")
# Runners beat every second or so.
ALIVE_S = 5.0
# A commit takes some tens of kilobytes; a few of them tell of all jobs that they wait.
SPARE, SPARE_BYTES = "spare", 2**20


class Base:
    """Databases and folders."""

    def __init__(self, folder: Path, now: Callable[[], float] = time.time) -> None:
        """In `folder`, with all others that use it; made if need be. Raises StoreError."""
        self.folder, self._now = folder, now
        try:
            for each in (folder, folder / "jobs", folder / "voices"):
                each.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{folder} cannot be used: {error.strerror}") from error
        self.file = Database(folder / "jobs.db", schema.JOBS, "FULL")
        self._beats = Database(folder / "runners.db", schema.RUNNERS, "NORMAL")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What this thread asks the store within commits together, or not at all."""
        with self.file.writing():
            yield

    def folder_of(self, id: str) -> Path:
        """Where a job's sound lies; there need be none. Raises NoSuchJob for what is no job's id."""
        if not ID.fullmatch(id):
            raise _no_such_job()
        return self.folder / "jobs" / id

    def piece_path(self, job_id: str, n: int, take: int, epoch: int, kind: Literal["pcm", "state"]) -> Path:
        """The file of one piece: 16-bit samples, or the frames of engine.generation.Saved."""
        return self.folder_of(job_id) / f"{n:d}-{take:d}-{epoch:d}.{kind}"

    def room(self, reserve: int) -> int:
        """Bytes free on the disk beyond `reserve`; negative if it is short of them."""
        with disk_errors(self.folder):
            disk = os.statvfs(self.folder)
        return disk.f_bavail * disk.f_frsize - reserve

    def keep_spare(self) -> None:
        """Hold a little of the disk, for the day on which there is nothing else left. Raises StoreError."""
        path = self.folder / SPARE
        with disk_errors(path), path.open("ab") as file:
            if file.tell() < SPARE_BYTES:
                os.posix_fallocate(file.fileno(), 0, SPARE_BYTES)

    def spend_spare(self) -> None:
        """Give it up, so that a full disk still takes word of why jobs wait."""
        with disk_errors(self.folder / SPARE):
            (self.folder / SPARE).unlink(missing_ok=True)

    def beat(self, state: RunnerState) -> None:
        """Say that a runner is alive; every second or so."""
        with self._beats.writing() as db:
            db.execute(
                "INSERT INTO runners (id, slot, engine, streams, running, pace, beat) "
                "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET slot = excluded.slot, "
                "engine = excluded.engine, streams = excluded.streams, running = excluded.running, "
                "pace = excluded.pace, beat = excluded.beat",
                (state.id, state.slot, state.engine, state.streams, state.running, state.pace, self._now()),
            )

    def runners(self) -> list[RunnerState]:
        """Those that are alive, by slot."""
        now = self._now()
        with self._beats.reading() as db:
            found = db.execute(
                "SELECT id, slot, engine, streams, running, pace FROM runners "
                "WHERE beat BETWEEN ? AND ? ORDER BY slot, id",
                (now - ALIVE_S, now + ALIVE_S),
            ).fetchall()
        return [RunnerState(*row) for row in found]

    def _row(self, db: sqlite3.Connection, id: str, viewer: str | None) -> sqlite3.Row:
        """A job's row. Raises NoSuchJob."""
        row = db.execute("SELECT * FROM jobs WHERE id = ?", (id,)).fetchone()
        if row is None or (viewer is not None and row["user"] != viewer):
            raise _no_such_job()
        return row

    def _job(self, db: sqlite3.Connection, number: int) -> Job:
        (job,) = rows.jobs(db, db.execute("SELECT * FROM jobs WHERE number = ?", (number,)))
        return job

    def _end(
        self, db: sqlite3.Connection, number: int, state: str, type: str = "", message: str = ""
    ) -> None:
        """The job is over. One that has a whole to be heard is done, if only another take was given up."""
        if (
            state == "cancelled"
            and not db.execute("SELECT 1 FROM segments WHERE job = ? AND heard IS NULL", (number,)).fetchone()
        ):
            for table, column in (("takes", "number"), ("pieces", "take")):
                db.execute(
                    f"DELETE FROM {table} WHERE job = ? AND {column} = "
                    f"(SELECT coming FROM segments AS s WHERE s.job = {table}.job AND s.n = {table}.n)",
                    (number,),
                )
            db.execute("UPDATE segments SET coming = NULL WHERE job = ?", (number,))
            state = "done"
        db.execute(
            "UPDATE jobs SET state = ?, ended = ?, runner = NULL, cancelling = 0, reason = '', "
            "error_type = ?, error_message = ? WHERE number = ?",
            (state, self._now(), type, message, number),
        )
        db.execute(
            "UPDATE takes SET state = 'waiting' WHERE job = ? AND state = 'running'",
            (number,),
        )
        rows.emit(db, number, "error" if state == "failed" else "done", {"state": state})

    def _again(self, db: sqlite3.Connection, number: int, reason: str = "", *, last: bool = False) -> None:
        """The job waits; where it stood before, or as the last that came."""
        if last:
            db.execute("UPDATE jobs SET turn = (SELECT max(turn) + 1 FROM jobs) WHERE number = ?", (number,))
        db.execute(
            "UPDATE jobs SET state = 'queued', ended = NULL, runner = NULL, cancelling = 0, reason = ?, "
            "error_type = '', error_message = '' WHERE number = ?",
            (reason, number),
        )
        rows.emit(db, number, "progress", {"state": "queued"})


def _no_such_job() -> NoSuchJob:
    return NoSuchJob("There is no such job; it may have been deleted.")

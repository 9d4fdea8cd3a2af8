"""The runners' side of the store: jobs claimed by lease, and what comes of them.

Whoever holds a lease has a number for it, the job's epoch, and every write says under which it is made. A
runner that was taken for dead and comes back, however late, finds its epoch gone and changes nothing: what it
wrote to its own files beyond what it had saved is never heard.
"""

import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from ..engine.generation import Saved
from . import queue, rows
from .base import Base
from .database import disk_errors
from .errors import Conflict, Damaged, LeaseLost
from .model import FINAL, Job, State, Take

# Clocks of one host's containers are one; a lease from further ahead is from before it was set back.
CLOCK_S = 1.0
_RUN_OUT = "state = 'running' AND (lease_until <= :now OR lease_from > :now + :clock)"


class Leases(Base):
    """What runners ask."""

    def claim(self, runner: str, lease_s: float, most: int, reserve: int = 0) -> list[Job]:
        """Up to `most` jobs for `lease_s` seconds: those of runners that are gone, then by turn.

        While the disk has less than `reserve` bytes left, what was stopped by a full one stays where it is.
        """
        if most < 1 or not self.anything(reserve):
            return []
        short = self.room(reserve) < 0
        with self.file.writing() as db:
            now = {"now": self._now(), "clock": CLOCK_S}
            for row in db.execute(f"SELECT number FROM jobs WHERE {_RUN_OUT} AND cancelling", now).fetchall():
                self._end(db, row["number"], "cancelled")
            run_out = db.execute(f"SELECT number FROM jobs WHERE {_RUN_OUT} ORDER BY turn", now).fetchall()
            order = [row["number"] for row in run_out]
            order += [
                job.number
                for job in queue.fair_order(queue.unfinished(db))
                if not (short and job.reason == "disk_full")
            ]
            claimed = []
            for number in order[:most]:
                db.execute(
                    "UPDATE jobs SET state = 'running', runner = :runner, epoch = epoch + 1, "
                    "lease_from = :now, lease_until = :now + :lease, reason = '', "
                    "started = coalesce(started, :now) WHERE number = :number",
                    {"runner": runner, "now": now["now"], "lease": lease_s, "number": number},
                )
                rows.emit(db, number, "progress", {"state": "running"})
                claimed.append(self._job(db, number))
            return claimed

    def anything(self, reserve: int = 0) -> bool:
        """Whether `claim` has something. Most looks find nothing, and wait for no disk."""
        waits = "state = 'queued'" + (" AND reason != 'disk_full'" if self.room(reserve) < 0 else "")
        with self.file.reading() as db:
            return bool(
                db.execute(
                    f"SELECT 1 FROM jobs WHERE ({waits}) OR ({_RUN_OUT}) LIMIT 1",
                    {"now": self._now(), "clock": CLOCK_S},
                ).fetchone()
            )

    def renew(
        self, runner: str, epochs: Mapping[str, int], lease_s: float
    ) -> dict[str, Literal["ok", "cancel", "lost"]]:
        """`lease_s` more seconds for the jobs with these ids: what became of each lease."""
        answers: dict[str, Literal["ok", "cancel", "lost"]] = {}
        if not epochs:
            return answers
        with self.file.writing() as db:
            now = self._now()
            for id, epoch in epochs.items():
                row = _held(db, id, runner, epoch)
                answers[id] = "lost" if row is None else "cancel" if row["cancelling"] else "ok"
                if row is not None:
                    db.execute(
                        "UPDATE jobs SET lease_from = ?, lease_until = ? WHERE number = ?",
                        (now, now + lease_s, row["number"]),
                    )
        return answers

    def begin(self, job: Job, n: int) -> Take:
        """The segment's coming take is being spoken. Its pieces are all there: one with files missing begins
        anew. Makes the job's folder. Raises LeaseLost; Conflict if no take is to come.
        """
        with self.file.writing() as db:
            number = self._lease(db, job)
            take = self._coming(db, number, n)
            if not self._intact(job.id, n, take):
                return self.restart_take(job, n)
            db.execute(
                "UPDATE takes SET state = 'running' WHERE job = ? AND n = ? AND number = ?",
                (number, n, take.number),
            )
            folder = self.folder_of(job.id)
            with disk_errors(folder):
                folder.mkdir(exist_ok=True)
            return self._coming(db, number, n)

    def restart_take(self, job: Job, n: int) -> Take:
        """Forget what was spoken of the coming take: another one, with the same seed, from its first frame.

        Under a new number, for files that were begun are never written by anybody else. Raises LeaseLost.
        """
        with self.file.writing() as db:
            number = self._lease(db, job)
            old = self._coming(db, number, n)
            db.execute("DELETE FROM pieces WHERE job = ? AND n = ? AND take = ?", (number, n, old.number))
            db.execute("DELETE FROM takes WHERE job = ? AND n = ? AND number = ?", (number, n, old.number))
            new_take(db, number, n, old.seed, "running")
            rows.emit(db, number, "progress", {"state": "running"})
            return self._coming(db, number, n)

    def save(
        self,
        job: Job,
        n: int,
        *,
        samples: int,
        frames: int,
        weights: str,
        frame_bytes: int,
        parts: tuple[int, ...],
    ) -> None:
        """So much of this lease's piece is safely on the disk, both files; `parts` are the whole take's.

        Raises LeaseLost; ValueError for frames that cannot follow those of the pieces before.
        """
        with self.file.writing() as db:
            number = self._lease(db, job)
            take = self._coming(db, number, n)
            before = [piece for piece in take.pieces if piece.epoch != job.epoch and piece.frames]
            if before and (take.weights, take.frame_bytes) != (weights, frame_bytes):
                raise ValueError("other weights: restart the take")
            db.execute(
                "INSERT INTO pieces (job, n, take, epoch, samples, frames) VALUES (?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (job, n, take, epoch) DO UPDATE "
                "SET samples = excluded.samples, frames = excluded.frames",
                (number, n, take.number, job.epoch, samples, frames),
            )
            db.execute(
                "UPDATE takes SET weights = ?, frame_bytes = ?, parts = ? "
                "WHERE job = ? AND n = ? AND number = ?",
                (weights, frame_bytes, json.dumps(parts), number, n, take.number),
            )
            rows.emit(db, number, "progress", {"state": "running"})

    def finish_take(self, job: Job, n: int, *, capped: bool) -> Job:
        """The coming take is whole, and what is heard of the segment from now on. Raises LeaseLost."""
        with self.file.writing() as db:
            number = self._lease(db, job)
            take = self._coming(db, number, n)
            # Files of the one before stay for whoever is reading them, until the next sweep.
            for table, column in (("takes", "number"), ("pieces", "take")):
                db.execute(
                    f"DELETE FROM {table} WHERE job = ? AND n = ? AND {column} = "
                    "(SELECT heard FROM segments WHERE job = ? AND n = ?)",
                    (number, n, number, n),
                )
            db.execute(
                "UPDATE takes SET state = 'done', capped = ? WHERE job = ? AND n = ? AND number = ?",
                (capped, number, n, take.number),
            )
            db.execute(
                "UPDATE segments SET heard = coming, coming = NULL WHERE job = ? AND n = ?", (number, n)
            )
            rows.emit(db, number, "segment", {"n": n, "take": take.number})
            return self._job(db, number)

    def finish(self, job: Job, state: State, error_type: str = "", error_message: str = "") -> Job:
        """The job is over. Raises LeaseLost; ValueError if it cannot be done yet."""
        if state not in FINAL:
            raise ValueError(f"{state} is no end")
        with self.file.writing() as db:
            number = self._lease(db, job)
            left = db.execute("SELECT n FROM segments WHERE job = ? AND coming IS NOT NULL", (number,))
            if state == "done" and left.fetchone():
                raise ValueError("a segment is still to be spoken")
            self._end(db, number, state, error_type, error_message)
            return self._job(db, number)

    def release(self, job: Job, reason: str = "") -> None:
        """Give the lease up: the job waits for the next runner. Raises LeaseLost.

        `yielded`: behind those that wait now.
        """
        with self.file.writing() as db:
            number = self._lease(db, job)
            if db.execute("SELECT cancelling FROM jobs WHERE number = ?", (number,)).fetchone()[0]:
                self._end(db, number, "cancelled")
                return
            db.execute("UPDATE takes SET state = 'waiting' WHERE job = ? AND state = 'running'", (number,))
            self._again(db, number, reason, last=reason == "yielded")

    def saved(self, job: Job, take_of: int, take: Take) -> Saved | None:
        """What was spoken of a take of segment `take_of`; None if there are no frames.

        Raises Damaged if a file has less than was saved.
        """
        if not take.frames:
            return None
        frames = bytearray()
        for piece in take.pieces:
            if not piece.frames:
                continue
            path = self.piece_path(job.id, take_of, take.number, piece.epoch, "state")
            length = piece.frames * take.frame_bytes
            with disk_errors(path):
                try:
                    with path.open("rb") as file:
                        read = file.read(length)
                except FileNotFoundError:
                    read = b""
            if len(read) != length:
                raise Damaged(f"{path} has {len(read)} bytes, but {length} were saved.")
            frames += read
        return Saved(take.weights, take.frame_bytes, bytes(frames), take.parts, take.seed)

    def _intact(self, id: str, n: int, take: Take) -> bool:
        """Whether the files have what was saved: a disk may have lied when it was asked to keep it."""
        for piece in take.pieces:
            pcm = self.piece_path(id, n, take.number, piece.epoch, "pcm")
            state = self.piece_path(id, n, take.number, piece.epoch, "state")
            if _size(pcm) < 2 * piece.samples or _size(state) < take.frame_bytes * piece.frames:
                return False
        return True

    def _lease(self, db: sqlite3.Connection, job: Job) -> int:
        """The job's number. Raises LeaseLost unless its lease is the one that this job was claimed under."""
        row = _held(db, job.id, job.runner, job.epoch)
        if row is None:
            raise LeaseLost(f"{job.id} is no longer this runner's")
        return row["number"]

    def _coming(self, db: sqlite3.Connection, number: int, n: int) -> Take:
        key = {"job": number, "n": n}
        row = db.execute(
            "SELECT takes.* FROM takes JOIN segments ON segments.job = takes.job AND segments.n = takes.n "
            "AND segments.coming = takes.number WHERE takes.job = :job AND takes.n = :n",
            key,
        ).fetchone()
        if row is None:
            raise Conflict(f"Segment {n} has no take that is to be spoken.")
        pieces = db.execute(
            "SELECT epoch, samples, frames FROM pieces "
            "WHERE job = :job AND n = :n AND take = :take ORDER BY epoch",
            {**key, "take": row["number"]},
        )
        return rows.take(row, tuple(rows.Piece(*piece) for piece in pieces))


def new_take(db: sqlite3.Connection, job: int, n: int, seed: int | None, state: str = "waiting") -> None:
    """Another take of a segment is to come; without a seed, with one that follows from the job's."""
    row = db.execute(
        "UPDATE segments SET coming = takes, takes = takes + 1 WHERE job = ? AND n = ? "
        "RETURNING coming, (SELECT seed FROM jobs WHERE number = segments.job) AS seed",
        (job, n),
    ).fetchone()
    made = rows.seed_of(row["seed"], n, row["coming"]) if seed is None else seed
    db.execute(
        "INSERT INTO takes (job, n, number, seed, state) VALUES (?, ?, ?, ?, ?)",
        (job, n, row["coming"], made, state),
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _held(db: sqlite3.Connection, id: str, runner: str | None, epoch: int) -> sqlite3.Row | None:
    return db.execute(
        "SELECT number, cancelling FROM jobs WHERE id = ? AND runner = ? AND epoch = ? AND state = 'running'",
        (id, runner, epoch),
    ).fetchone()

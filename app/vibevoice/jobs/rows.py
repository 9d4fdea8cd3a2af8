"""Jobs, events and voices as rows, and back."""

import hashlib
import json
import secrets
import sqlite3
import string
from collections.abc import Iterable, Sequence
from typing import Any

from ..script import Turn
from .model import Event, Job, NewJob, Piece, Segment, Take, Voice

Row = sqlite3.Row
# SQLite's own limit lies far above; a page of the history lies far below.
MANY = 500


def new_id(kind: str, length: int) -> str:
    """`kind_` and so many letters and digits that nobody can guess."""
    return f"{kind}_" + "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(length))


def seed_of(seed: int, n: int, take: int) -> int:
    """The seed of a segment's take: its job's own for the very first, and another for each other one."""
    if n == take == 0:
        return seed
    return int.from_bytes(hashlib.sha256(f"{seed} {n} {take}".encode()).digest()[:4], "little")


def insert(db: sqlite3.Connection, new: NewJob, user: str, batch: str | None, now: float) -> int:
    """A queued job; its number."""
    (last,) = db.execute("SELECT coalesce(max(turn), 0) FROM jobs").fetchone()
    values = {
        "id": new_id("job", 24),
        "user": user,
        "kind": new.kind,
        "state": "queued",
        "title": new.title,
        "speakers": json.dumps(new.speakers),
        "voices": json.dumps(new.voices),
        "seed": new.seed,
        "guidance": new.guidance,
        "steps": new.steps,
        "one_take": new.one_take,
        "format": new.format,
        "batch": batch,
        "created": now,
        "turn": last + 1,
    }
    names = ", ".join(values)
    marks = ", ".join(f":{name}" for name in values)
    number = db.execute(f"INSERT INTO jobs ({names}) VALUES ({marks})", values).lastrowid
    assert number is not None
    turns = json.dumps([(turn.speaker, turn.text, turn.pause_ms) for turn in new.turns])
    db.execute("INSERT INTO scripts (job, script, turns) VALUES (?, ?, ?)", (number, new.script, turns))
    for n, (first, end, estimate_s) in enumerate(new.segments):
        db.execute(
            "INSERT INTO segments (job, n, first, last, estimate_s, coming) VALUES (?, ?, ?, ?, ?, 0)",
            (number, n, first, end, estimate_s),
        )
        db.execute(
            "INSERT INTO takes (job, n, number, seed) VALUES (?, ?, 0, ?)",
            (number, n, seed_of(new.seed, n, 0)),
        )
    return number


def jobs(db: sqlite3.Connection, rows: Iterable[Row], *, text: bool = True) -> list[Job]:
    """The jobs of these rows of `jobs`, in their order; without `text` neither script nor turns are read."""
    rows = list(rows)
    made: list[Job] = []
    for begin in range(0, len(rows), MANY):
        made += _jobs(db, rows[begin : begin + MANY], text)
    return made


def _jobs(db: sqlite3.Connection, rows: Sequence[Row], text: bool) -> list[Job]:
    numbers = [row["number"] for row in rows]
    among = f"IN ({', '.join('?' * len(numbers))})"
    scripts = {}
    if text:
        found = db.execute(f"SELECT job, script, turns FROM scripts WHERE job {among}", numbers)
        scripts = {number: (script, turns) for number, script, turns in found}
    pieces: dict[tuple[int, int, int], list[Piece]] = {}
    for row in db.execute(
        "SELECT job, n, take, epoch, samples, frames FROM pieces "
        f"WHERE job {among} ORDER BY job, n, take, epoch",
        numbers,
    ):
        pieces.setdefault((row["job"], row["n"], row["take"]), []).append(
            Piece(row["epoch"], row["samples"], row["frames"])
        )
    takes = {}
    for row in db.execute(
        "SELECT job, n, number, seed, state, capped, weights, frame_bytes, parts FROM takes "
        f"WHERE job {among}",
        numbers,
    ):
        key = (row["job"], row["n"], row["number"])
        takes[key] = take(row, tuple(pieces.get(key, ())))
    segments: dict[int, list[Segment]] = {number: [] for number in numbers}
    for row in db.execute(
        "SELECT job, n, first, last, estimate_s, heard, coming FROM segments "
        f"WHERE job {among} ORDER BY job, n",
        numbers,
    ):
        job, n = row["job"], row["n"]
        heard, coming = (
            None if row[which] is None else takes[job, n, row[which]] for which in ("heard", "coming")
        )
        segments[job].append(Segment(n, row["first"], row["last"], row["estimate_s"], heard, coming))
    return [_job(row, scripts.get(row["number"], ("", "[]")), segments[row["number"]]) for row in rows]


def take(row: Row, pieces: tuple[Piece, ...]) -> Take:
    """A take from its row and its pieces."""
    return Take(
        number=row["number"],
        seed=row["seed"],
        state=row["state"],
        capped=bool(row["capped"]),
        weights=row["weights"],
        frame_bytes=row["frame_bytes"],
        parts=tuple(json.loads(row["parts"])),
        pieces=pieces,
    )


def _job(row: Row, text: tuple[str, str], segments: list[Segment]) -> Job:
    script, turns = text
    return Job(
        id=row["id"],
        number=row["number"],
        user=row["user"],
        kind=row["kind"],
        state=row["state"],
        title=row["title"],
        script=script,
        turns=tuple(Turn(*turn) for turn in json.loads(turns)),
        speakers=tuple(json.loads(row["speakers"])),
        voices=tuple(json.loads(row["voices"])),
        seed=row["seed"],
        guidance=row["guidance"],
        steps=row["steps"],
        one_take=bool(row["one_take"]),
        format=row["format"],
        batch=row["batch"],
        created=row["created"],
        segments=tuple(segments),
        started=row["started"],
        ended=row["ended"],
        runner=row["runner"],
        epoch=row["epoch"],
        cancelling=bool(row["cancelling"]),
        reason=row["reason"],
        error_type=row["error_type"],
        error_message=row["error_message"],
    )


def emit(db: sqlite3.Connection, number: int, kind: str, data: dict[str, Any]) -> None:
    """Tell what happened to a job. Only its last `progress` is kept, and only its last end."""
    gone = {"segment": (), "progress": ("progress",)}.get(kind, ("progress", "done", "error"))
    for old in gone:
        db.execute("DELETE FROM events WHERE job = ? AND kind = ?", (number, old))
    db.execute("INSERT INTO events (job, kind, data) VALUES (?, ?, ?)", (number, kind, json.dumps(data)))


def event(row: Row) -> Event:
    """An event from its row, with the job's `id`."""
    return Event(row["number"], row["id"], row["kind"], json.loads(row["data"]))


def voice(row: Row) -> Voice:
    """A voice from its row."""
    return Voice(
        id=row["id"],
        name=row["name"],
        user=row["user"],
        shared=bool(row["shared"]),
        sha256=row["sha256"],
        seconds=row["seconds"],
        consent=row["consent"],
        created=row["created"],
    )

"""What goes by itself: old jobs by age and by space, and files that nobody knows."""

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from stat import S_ISREG

from .base import ID, Base
from .database import disk_errors
from .library import Library
from .model import FINAL

# Speech is answered as it comes; an hour is for whoever looks into what went wrong.
SPEECH_S = 3600
# Encoded files are made again when they are asked for.
ENCODED_S = 24 * 3600
# One that was written to of late may be in the making.
ENCODING_S = 60
# Of takes that are no longer heard: a reader may be at them.
OLD_TAKE_S = 3600
EVENTS_S = 24 * 3600
KEYS_S = 24 * 3600
# Jobs deleted in one transaction.
AT_ONCE = 50
PIECES = {".pcm", ".state"}
_FINAL = f"state IN ({', '.join(repr(state) for state in FINAL)})"


class Sweep(Base):
    """Upkeep."""

    library: Library

    def usage(self) -> int:
        """Bytes that the jobs' files take."""
        return sum(_size(folder) for folder in self._folders())

    def sweep(self, *, older_than_s: float, most_bytes: int, reserve: int) -> list[str]:
        """Delete jobs that ended `older_than_s` seconds ago, and speech an hour after its end; then the
        oldest, while all take more than `most_bytes` or the disk has less than `reserve` bytes free, unless
        that would not help; and whatever has become useless. Never what is not finished. Returns their ids.
        """
        now = self._now()
        self._lost()
        self._encoded(ENCODED_S)
        gone = self._old(now - older_than_s, "job") + self._old(now - SPEECH_S, "speech")
        if self._short(most_bytes, reserve) > 0:
            self._encoded(ENCODING_S)
            gone += self._oldest(self._short(most_bytes, reserve))
        self.library.sweep()
        with self.file.writing() as db:
            db.execute("DELETE FROM keys WHERE created <= ?", (now - KEYS_S,))
            db.execute(
                "DELETE FROM events WHERE kind = 'segment' AND job IN "
                f"(SELECT number FROM jobs WHERE {_FINAL} AND ended <= ?)",
                (now - EVENTS_S,),
            )
        return gone

    def _short(self, most_bytes: int, reserve: int) -> int:
        """Bytes that should go; 0 or less: none."""
        return max(self.usage() - most_bytes, -self.room(reserve))

    def _old(self, before: float, kind: str) -> list[str]:
        with self.file.reading() as db:
            ended = db.execute(
                f"SELECT id FROM jobs WHERE {_FINAL} AND kind = ? AND ended <= ?", (kind, before)
            ).fetchall()
        return self._delete_final([row["id"] for row in ended])

    def _oldest(self, short: int) -> list[str]:
        """Delete final jobs until `short` bytes are free, the first that ended first; none if all together
        have less: somebody else has filled the disk."""
        sizes = {folder.name: _size(folder) for folder in self._folders()}
        with self.file.reading() as db:
            ended = db.execute(f"SELECT id FROM jobs WHERE {_FINAL} ORDER BY ended, number").fetchall()
        large = [row["id"] for row in ended if sizes.get(row["id"])]
        if sum(sizes[id] for id in large) < short:
            return []
        before = accumulate((sizes[id] for id in large), initial=0)
        return self._delete_final([id for id, freed in zip(large, before, strict=False) if freed < short])

    def _delete_final(self, ids: list[str]) -> list[str]:
        """Delete those that are final still, a few at a time: others want to write, too."""
        gone: list[str] = []
        for begin in range(0, len(ids), AT_ONCE):
            with self.file.writing() as db:
                for id in ids[begin : begin + AT_ONCE]:
                    if db.execute(f"SELECT 1 FROM jobs WHERE id = ? AND {_FINAL}", (id,)).fetchone():
                        self._delete(db, id)
                        gone.append(id)
        return gone

    def _delete(self, db: sqlite3.Connection, id: str) -> None:
        """A job goes, and its folder once that is certain; what is held of it there is the next sweep's."""
        folder = self.folder_of(id)
        self.file.afterwards(lambda: shutil.rmtree(folder, ignore_errors=True))
        db.execute("DELETE FROM jobs WHERE id = ?", (id,))

    def _folders(self) -> list[Path]:
        jobs = self.folder / "jobs"
        with disk_errors(jobs):
            return [folder for folder in jobs.iterdir() if ID.fullmatch(folder.name)]

    def _lost(self) -> None:
        """Folders without a job, and pieces that no take has any more."""
        # A job is there before its folder, so those that are not found among them are gone.
        folders = self._folders()
        with self.file.reading() as db:
            jobs = {row["id"]: row for row in db.execute(f"SELECT id, number, {_FINAL} AS final FROM jobs")}
            for folder in folders:
                job = jobs.get(folder.name)
                if job is None:
                    shutil.rmtree(folder, ignore_errors=True)
                elif job["final"]:
                    pieces = db.execute("SELECT n, take, epoch FROM pieces WHERE job = ?", (job["number"],))
                    known = {f"{n}-{take}-{epoch}" for n, take, epoch in pieces}
                    for path, stat in _files(folder):
                        if path.suffix in PIECES and path.stem not in known:
                            _unlink(path, stat, OLD_TAKE_S)

    def _encoded(self, unused_s: float) -> None:
        for folder in self._folders():
            for path, stat in _files(folder):
                if path.suffix not in PIECES:
                    _unlink(path, stat, unused_s)


def _files(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """All files below, but for those that others are just deleting."""
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            stat = path.stat()
            if S_ISREG(stat.st_mode):
                yield path, stat


def _size(folder: Path) -> int:
    return sum(stat.st_blocks * 512 for _, stat in _files(folder))


def _unlink(path: Path, stat: os.stat_result, unused_s: float) -> None:
    if time.time() - stat.st_mtime >= unused_s:
        with suppress(OSError):
            path.unlink()

"""What goes by itself: old jobs by age and by space, and files that nobody knows."""

import shutil
import sqlite3
import time
from pathlib import Path

from .base import ID, Base
from .library import Library
from .model import FINAL

# Speech is answered as it comes; an hour is for whoever looks into what went wrong.
SPEECH_S = 3600
# Encoded files are made again when they are asked for.
ENCODED_S = 24 * 3600
# Of takes that are no longer heard: a reader may be at them.
OLD_TAKE_S = 3600
EVENTS_S = 24 * 3600
KEYS_S = 24 * 3600
PIECES = {".pcm", ".state"}
_FINAL = f"state IN ({', '.join(repr(state) for state in FINAL)})"


class Sweep(Base):
    """Upkeep."""

    library: Library

    def usage(self) -> int:
        """Bytes that the jobs' files take."""
        return sum(_size(folder) for folder in self._folders())

    def sweep(self, *, older_than_s: float, most_bytes: int, reserve: int) -> list[str]:
        """Delete jobs that ended `older_than_s` seconds ago; then the oldest ones while all take more than
        `most_bytes` or the disk has less than `reserve` bytes free; speech, an hour after its end; whatever
        has become useless. Never what is not finished. Returns the ids of the jobs.
        """
        self._files()
        now = self._now()
        gone = self._old(now - older_than_s, "job") + self._old(now - SPEECH_S, "speech")
        if self._over(most_bytes, reserve):
            self._encoded(0)
        while self._over(most_bytes, reserve) and (oldest := self._oldest()):
            gone.append(oldest)
        self.library.sweep()
        with self.file.writing() as db:
            db.execute("DELETE FROM keys WHERE created <= ?", (now - KEYS_S,))
            db.execute(
                "DELETE FROM events WHERE kind = 'segment' AND job IN "
                f"(SELECT number FROM jobs WHERE {_FINAL} AND ended <= ?)",
                (now - EVENTS_S,),
            )
        return gone

    def _old(self, before: float, kind: str) -> list[str]:
        with self.file.writing() as db:
            return self._delete(db, f"{_FINAL} AND kind = ? AND ended <= ?", (kind, before))

    def _oldest(self) -> str | None:
        with self.file.writing() as db:
            gone = self._delete(
                db, f"number = (SELECT number FROM jobs WHERE {_FINAL} ORDER BY ended LIMIT 1)", ()
            )
        return gone[0] if gone else None

    def _delete(self, db: sqlite3.Connection, where: str, values: tuple[object, ...]) -> list[str]:
        ids = [row["id"] for row in db.execute(f"DELETE FROM jobs WHERE {where} RETURNING id", values)]
        for id in ids:
            folder = self.folder_of(id)
            self.file.afterwards(lambda folder=folder: shutil.rmtree(folder, ignore_errors=True))
        return ids

    def _over(self, most_bytes: int, reserve: int) -> bool:
        return self.usage() > most_bytes or self.room(reserve) < 0

    def _folders(self) -> list[Path]:
        with self.file.errors():
            return [folder for folder in (self.folder / "jobs").iterdir() if ID.fullmatch(folder.name)]

    def _files(self) -> None:
        """Folders without a job, pieces that no take has, encoded files that nobody asked for of late."""
        with self.file.reading() as db:
            folders = self._folders()
            ids = {row["id"] for row in db.execute("SELECT id FROM jobs")}
            final = {row["id"]: row["number"] for row in db.execute(f"SELECT * FROM jobs WHERE {_FINAL}")}
            for folder in folders:
                if folder.name not in ids:
                    shutil.rmtree(folder, ignore_errors=True)
                elif folder.name in final:
                    self._pieces(db, folder, final[folder.name])
        self._encoded(ENCODED_S)

    def _pieces(self, db: sqlite3.Connection, folder: Path, number: int) -> None:
        known = {
            f"{row['n']}-{row['take']}-{row['epoch']}"
            for row in db.execute("SELECT n, take, epoch FROM pieces WHERE job = ?", (number,))
        }
        for path in _files_of(folder):
            if path.suffix in PIECES and path.stem not in known:
                _unlink(path, OLD_TAKE_S)

    def _encoded(self, unused_s: float) -> None:
        for folder in self._folders():
            for path in _files_of(folder):
                if path.suffix not in PIECES:
                    _unlink(path, unused_s)


def _files_of(folder: Path) -> list[Path]:
    """None if it is just being deleted."""
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []


def _size(folder: Path) -> int:
    size = 0
    for path in _files_of(folder):
        try:
            size += path.stat().st_blocks * 512
        except FileNotFoundError:
            continue
    return size


def _unlink(path: Path, unused_s: float) -> None:
    try:
        if time.time() - path.stat().st_mtime >= unused_s:
            path.unlink()
    except FileNotFoundError:
        return

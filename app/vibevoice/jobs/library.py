"""The project's voices: clips that people uploaded, under names.

Equal clips share a file, voices/<sha256>.wav, in 32-bit floats: what comes out is what went in.
"""

import io
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import soundfile

from ..audio import Samples
from ..voices import SAMPLE_RATE, content_hash
from . import rows
from .database import Database, disk_errors, sync
from .errors import Conflict, Damaged, NoSuchVoice
from .model import Voice

_MINE = "deleted IS NULL AND (:viewer IS NULL OR user = :viewer OR shared)"


class Library:
    """For any thread. `viewer` is a user who sees their own and the shared voices; None sees all.

    Files are made and deleted inside of transactions: nobody deletes what another is just adding.
    """

    def __init__(self, folder: Path, file: Database, now: Callable[[], float] = time.time) -> None:
        """Clips in `folder`, everything else in the store's database."""
        self._folder, self._file, self._now = folder, file, now

    def add(self, name: str, user: str, shared: bool, samples: Samples, consent: str) -> Voice:
        """Keep a clip, as voices.check gives it back, under a name of the user's.

        Raises Conflict if the user has the name already.
        """
        voice = Voice(
            id=rows.new_id("voice", 16),
            name=name,
            user=user,
            shared=shared,
            sha256=content_hash(samples),
            seconds=len(samples) / SAMPLE_RATE,
            consent=consent,
            created=self._now(),
        )
        with self._file.writing() as db:
            if db.execute(
                "SELECT 1 FROM voices WHERE user = ? AND name = ? AND deleted IS NULL", (user, name)
            ).fetchone():
                raise Conflict(
                    f"You have a voice called {name} already; delete it first, or pick another name."
                )
            path = self.path(voice)
            with disk_errors(path):
                _write(path, samples)
            db.execute(
                "INSERT INTO voices (id, name, user, shared, sha256, seconds, consent, created) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    voice.id,
                    name,
                    user,
                    shared,
                    voice.sha256,
                    voice.seconds,
                    consent,
                    voice.created,
                ),
            )
        return voice

    def list(self, viewer: str | None = None) -> list[Voice]:
        """All that the viewer sees, by name."""
        with self._file.reading() as db:
            found = db.execute(
                f"SELECT * FROM voices WHERE {_MINE} ORDER BY casefold(name), created", {"viewer": viewer}
            )
            return [rows.voice(row) for row in found]

    def get(self, id_or_name: str, viewer: str | None = None) -> Voice:
        """The voice with this id, else the viewer's own of this name, else a shared one.

        Raises NoSuchVoice.
        """
        with self._file.reading() as db:
            row = db.execute(
                f"SELECT * FROM voices WHERE (id = :word OR name = :word) AND {_MINE} "
                "ORDER BY id = :word DESC, user IS :viewer DESC, created LIMIT 1",
                {"word": id_or_name, "viewer": viewer},
            ).fetchone()
        if row is None:
            raise NoSuchVoice(f"There is no voice {id_or_name}; upload it, or pick one from the library.")
        return rows.voice(row)

    def samples(self, id: str) -> Samples:
        """A voice's clip, float32 mono 24 kHz; of a deleted one, too, while an unfinished job uses it.

        Raises NoSuchVoice, or Damaged if the file is.
        """
        with self._file.reading() as db:
            row = db.execute("SELECT * FROM voices WHERE id = ?", (id,)).fetchone()
        if row is None:
            raise NoSuchVoice(f"There is no voice {id}; it may have been deleted.")
        path = self.path(rows.voice(row))
        try:
            with soundfile.SoundFile(path) as file:
                samples: Samples = file.read(dtype="float32")  # pyright: ignore[reportAssignmentType]
        except (OSError, soundfile.SoundFileError) as error:
            raise Damaged(f"{path} cannot be read: {error}") from error
        if content_hash(samples) != row["sha256"]:
            raise Damaged(f"{path} is not what was uploaded.")
        return samples

    def delete(self, id: str, viewer: str | None = None) -> None:
        """Forget one of the viewer's own voices (None: anyone's). Raises NoSuchVoice."""
        with self._file.writing() as db:
            row = db.execute("SELECT * FROM voices WHERE id = ? AND deleted IS NULL", (id,)).fetchone()
            if row is None or (viewer is not None and row["user"] != viewer):
                raise NoSuchVoice("There is no such voice of yours; it may have been deleted.")
            db.execute("UPDATE voices SET deleted = ? WHERE id = ?", (self._now(), id))
            self._forget(db)

    def sweep(self) -> None:
        """Forget deleted voices that no job needs any more."""
        with self._file.writing() as db:
            self._forget(db)

    def path(self, voice: Voice) -> Path:
        """The voice's file: WAV, 32-bit floats, mono, 24 kHz."""
        return self._folder / f"{voice.sha256}.wav"

    def _forget(self, db: sqlite3.Connection) -> None:
        gone = db.execute(
            "DELETE FROM voices WHERE deleted IS NOT NULL AND NOT EXISTS (SELECT 1 FROM jobs "
            "WHERE state IN ('queued', 'running') AND instr(jobs.voices, voices.id)) RETURNING *"
        ).fetchall()
        for row in gone:
            if not db.execute("SELECT 1 FROM voices WHERE sha256 = ?", (row["sha256"],)).fetchone():
                path = self.path(rows.voice(row))
                with disk_errors(path):
                    path.unlink(missing_ok=True)


def _write(path: Path, samples: Samples) -> None:
    """A file that is whole from the moment it has its name. Raises OSError."""
    wav = io.BytesIO()
    # In memory: of a disk's error the library says only that there was one.
    soundfile.write(wav, samples, SAMPLE_RATE, format="WAV", subtype="FLOAT")
    descriptor, name = tempfile.mkstemp(dir=path.parent, suffix=".new")
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(wav.getbuffer())
            file.flush()
            os.fsync(file.fileno())
        part.chmod(0o644)
        part.replace(path)
        sync(path.parent)
    except BaseException:
        part.unlink(missing_ok=True)
        raise

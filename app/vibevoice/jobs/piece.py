"""A piece of a take as files: 16-bit samples, and the frames to go on from."""

import errno
import os
from pathlib import Path

from .database import sync


class PieceFiles:
    """Both files of a new piece. What `append` was given is safely on the disk once it returns."""

    def __init__(self, sound: Path, frames: Path) -> None:
        """Make them, empty; they outlive a power cut from here on. Raises OSError."""
        sound.parent.mkdir(exist_ok=True)
        self._files: dict[int, int] = {}
        """Descriptors, and how far each is written."""
        try:
            for path in (sound, frames):
                self._files[os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)] = 0
            sync(sound.parent.parent)
            sync(sound.parent)
        except BaseException:
            self.close()
            raise

    def append(self, sound: bytes, frames: bytes) -> None:
        """Both, or after an OSError nothing: then the next call writes over what has been written."""
        added = dict(zip(self._files, (sound, frames), strict=True))
        for file, content in added.items():
            _write(file, content, self._files[file])
        for file, content in added.items():
            if content:
                os.fdatasync(file)
        for file, content in added.items():
            self._files[file] += len(content)

    def close(self) -> None:
        """Nothing is appended any more."""
        files, self._files = self._files, {}
        for file in files:
            os.close(file)


def is_full(error: OSError) -> bool:
    """Whether the disk has no room, or this user may have no more of it."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def _write(file: int, content: bytes, offset: int) -> None:
    left = memoryview(content)
    while left:
        written = os.pwrite(file, left, offset)
        left, offset = left[written:], offset + written

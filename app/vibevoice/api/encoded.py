"""A job's sound as files, each encoded once and kept beside the job."""

import asyncio
import hashlib
import json
import os
from pathlib import Path

from ..audio import FORMATS, Tags, encode_file
from ..jobs import sound
from ..jobs.database import disk_errors
from ..jobs.errors import Conflict
from ..jobs.model import Job
from ..settings import Settings
from ..studio import Studio


class Encoded:
    """The files of one studio. Two studios that make the same at a time both do the work; one file stays."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._making: dict[Path, asyncio.Task[None]] = {}

    async def file(self, job: Job, segment: int | None, format: str, speed: float) -> tuple[Path, str]:
        """The file, and a key that changes with whatever is in it.

        Raises Conflict where there is no whole yet, NoSuchJob, StoreError, EncodingError.
        """
        check_audible(job, segment)
        key = _key(job, segment, format, speed)
        path = self._studio.store.folder_of(job.id) / "encoded" / f"{key}{FORMATS[format].suffix}"
        if not await asyncio.to_thread(_touched, path):
            task = self._making.get(path)
            if task is None:
                task = asyncio.create_task(self._make(path, job, segment, format, speed))
                self._making[path] = task
                task.add_done_callback(lambda _: self._making.pop(path, None))
            # Whoever hangs up takes nothing from the others that wait for it.
            await asyncio.shield(task)
        return path, key

    async def _make(self, path: Path, job: Job, segment: int | None, format: str, speed: float) -> None:
        store = self._studio.store
        # The folder of a job that was deleted in the meantime must not come back.
        await asyncio.to_thread(store.get, job.id, text=False)
        with disk_errors(path):
            await asyncio.to_thread(lambda: path.parent.mkdir(exist_ok=True))
        pcm = sound.whole(store, job, segment)
        await encode_file(pcm, format, tags(self._studio.settings, job), path, speed=speed)


def tags(settings: Settings, job: Job) -> Tags:
    """What a job's files say of themselves."""
    return Tags(title=job.title, project=settings.project, model=settings.model_name, job=job.id)


def check_audible(job: Job, segment: int | None) -> None:
    """Raises Conflict where there is nothing finished to hear."""
    if segment is None:
        if not job.audible:
            raise Conflict("This job has no whole to download yet; with live=1 you hear what there is of it.")
    elif segment >= len(job.segments):
        raise Conflict(f"This job has no segment {segment}; it has {len(job.segments)}, from 0.")
    elif job.segments[segment].heard is None:
        raise Conflict(f"Segment {segment} is not finished yet; with live=1 you hear what there is of it.")


def _key(job: Job, segment: int | None, format: str, speed: float) -> str:
    takes = [each.heard and each.heard.number for each in job.segments]
    content = [job.id, job.title, takes, segment, format, float(speed)]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]


def _touched(path: Path) -> bool:
    """Whether the file is there; it counts as used from now on, and stays another day."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    return True

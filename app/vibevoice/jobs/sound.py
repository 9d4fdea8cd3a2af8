"""A job's sound as its takes have it: 16-bit little-endian mono at 24 kHz."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from .database import disk_errors
from .errors import Damaged, NoSuchJob
from .model import Job, Segment, Take
from .store import Store
from .watch import Watch

BLOCK = 2**20
SAMPLE_BYTES = 2
# A look without news, in case that word of a change was lost.
LOOK_S = 5.0


async def live(
    store: Store, watch: Watch, job_id: str, viewer: str | None = None, *, segment: int | None = None
) -> AsyncIterator[bytes]:
    """A job's sound from its beginning, or one segment's, as it comes; to its end, or to that of the job.

    What was handed out is never handed out again, whatever happens to the runner. Raises StoreError, and
    NoSuchJob if there is none at first.
    """
    job = await asyncio.to_thread(store.get, job_id, viewer, text=False)
    for n in range(len(job.segments)) if segment is None else (segment,):
        given = 0
        while True:
            seen = watch.seen
            try:
                job = await asyncio.to_thread(store.get, job_id, viewer, text=False)
                take = job.segments[n].take
                while take and given < take.samples:
                    block = await asyncio.to_thread(_read, store, job, n, take, given)
                    given += len(block) // SAMPLE_BYTES
                    yield block
            except NoSuchJob:
                return
            except Damaged:
                # Deleted, or begun anew, since we looked; else there is no more to be had.
                now = await asyncio.to_thread(_job_or_none, store, job_id, viewer)
                if now and now.segments[n].take == job.segments[n].take:
                    raise
                continue
            if take and take.state == "done":
                break
            if job.final:
                return
            await watch.wait(seen, LOOK_S)


def _job_or_none(store: Store, job_id: str, viewer: str | None) -> Job | None:
    try:
        return store.get(job_id, viewer, text=False)
    except NoSuchJob:
        return None


def whole(store: Store, job: Job, segment: int | None = None) -> Iterator[bytes]:
    """The sound of an audible job, or of one segment, in blocks of up to 1 MiB. Raises StoreError."""
    for each in job.segments if segment is None else (job.segments[segment],):
        take = _heard(each)
        given = 0
        while given < take.samples:
            block = _read(store, job, each.n, take, given)
            given += len(block) // SAMPLE_BYTES
            yield block


def _heard(segment: Segment) -> Take:
    if segment.heard is None:
        raise ValueError(f"segment {segment.n} is not spoken yet")
    return segment.heard


def _read(store: Store, job: Job, n: int, take: Take, begin: int) -> bytes:
    """The take's sound from sample `begin` on: the rest of that piece, or a block of it; never nothing."""
    for piece in take.pieces:
        if begin < piece.samples:
            path = store.piece_path(job.id, n, take.number, piece.epoch, "pcm")
            wanted = min(SAMPLE_BYTES * (piece.samples - begin), BLOCK)
            with disk_errors(path):
                return _exactly(path, SAMPLE_BYTES * begin, wanted)
        begin -= piece.samples
    raise ValueError(f"the take has {take.samples} samples")


def _exactly(path: Path, offset: int, length: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            block = file.read(length)
    except FileNotFoundError:
        block = b""
    if len(block) != length:
        raise Damaged(f"{path} ends before what was saved of it; generate the job's segment again.")
    return block

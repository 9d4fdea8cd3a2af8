"""The endpoint `generate` of the page, for programs that speak Gradio's own protocol (gradio_client)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import numpy as np

from ..api.errors import EXPECTED
from ..audio import SAMPLE_RATE
from ..jobs import sound
from ..jobs.desk import Order, Visitor
from ..jobs.model import Job
from ..studio import Studio
from .quickly import gr

LONGEST_S = 900
"""Gradio keeps what it hands out in memory: longer speech is only to be had from the API."""
LOOK_S = 5.0

Step = tuple[Any, str, str]
"""What there is of (sound, status, job id)."""


async def generate(studio: Studio, script: str, visitor: Visitor) -> AsyncIterator[Step]:
    """Submit a script as a job and watch it to its end. Whoever stops watching leaves the job as it is.

    Watching is one of the project's streams, as following a job's events is. Raises gr.Error.
    """
    try:
        with studio.hold_stream(visitor.allowance):
            await studio.check_minutes(visitor.allowance)
            (job,) = await asyncio.to_thread(studio.desk.submit, [Order(script, format="wav")], visitor)
            async for line in _watched(studio, job.id, visitor):
                yield gr.skip(), line, job.id
            job = await asyncio.to_thread(studio.store.get, job.id, visitor.viewer)
    except EXPECTED as error:
        raise gr.Error(str(error), title="Not spoken", print_exception=False) from error
    if job.state != "done":
        message = job.error_message or f"The job {job.id} was {job.state}."
        raise gr.Error(message, title="Not spoken", print_exception=False)
    yield await _spoken(studio, job), _summary(job), job.id


async def _watched(studio: Studio, id: str, visitor: Visitor) -> AsyncIterator[str]:
    """A line on a job, each time that it is another, until the job is over."""
    last = ""
    while True:
        seen = studio.watch.seen
        job = await asyncio.to_thread(studio.store.get, id, visitor.viewer, text=False)
        if job.final:
            return
        if (line := await _line(studio, job)) != last:
            yield line
            last = line
        await studio.watch.wait(seen, LOOK_S)


async def _line(studio: Studio, job: Job) -> str:
    if job.samples:
        return f"Speaking: {job.audio_s:.1f} s of about {max(job.estimate_s, job.audio_s):.0f} s so far …"
    if job.state == "running":
        return "Speaking: it begins …"
    place = await asyncio.to_thread(studio.store.place, job)
    if studio.engine.state in ("loading", "asleep"):
        return "Waiting: the model is being loaded …"
    return f"Waiting for the GPU, number {place.position or 1} in line …"


async def _spoken(studio: Studio, job: Job) -> Any:
    if job.audio_s > LONGEST_S:
        return None
    pcm = await asyncio.to_thread(lambda: b"".join(sound.whole(studio.store, job)))
    return SAMPLE_RATE, np.frombuffer(pcm, "<i2")


def _summary(job: Job) -> str:
    seconds = (job.ended or job.created) - job.created
    line = f"{job.audio_s:.1f} s of speech in {seconds:.1f} s, seed {job.seed}."
    if any(segment.heard and segment.heard.capped for segment in job.segments):
        line += " The model did not come to an end and was cut off: try again, or shorten the script."
    if job.audio_s > LONGEST_S:
        line += f" It is too long for here: get it from v1/jobs/{job.id}/audio."
    return line

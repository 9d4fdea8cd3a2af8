"""Jobs and voices as the API tells of them."""

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, Field

from ..jobs import model
from ..jobs.store import Store

_WORDS = 80
"""Characters of a segment's first words."""


class Progress(BaseModel):
    """How far a job is."""

    audio_s: float = Field(description="Seconds of sound that there are.")
    total_s: float = Field(description="Seconds of the whole, an estimate until it is finished.")
    eta_s: float | None = Field(description="Seconds until it will have ended; null: nobody can say.")


class Segment(BaseModel):
    """Some turns of a job, that can be heard and spoken anew by themselves."""

    n: int = Field(description="From 0.")
    speakers: list[str]
    text: str = Field(description="The first words.")
    start_s: float
    end_s: float
    state: model.TakeState = Field(
        description="Of what is to be heard next: of a new take, if one is asked for."
    )
    take: int = Field(description="Number of that take, from 0.")
    seed: int
    capped: bool


class JobError(BaseModel):
    """Why a job failed."""

    type: str
    message: str


class JobLine(BaseModel):
    """A job, as lists have it: without its segments."""

    id: str
    object: Literal["job"] = "job"
    state: model.State
    reason: str = Field(
        description="Why it waits though there is room: disk_full, gpu_released, yielded; or empty."
    )
    title: str
    user: str = Field(description="Whose it is; empty where nobody logs in.")
    position: int | None = Field(description="1: the next one; null: it does not wait.")
    created_at: float = Field(description="Unix seconds, as all times here.")
    started_at: float | None
    ended_at: float | None
    progress: Progress
    speakers: list[str]
    voices: list[str | None] = Field(description="Ids by speaker; null: the model's own choice.")
    seed: int
    guidance: float | None
    steps: int | None
    one_take: bool
    format: str
    batch: str | None = Field(description="The same for all that were handed in at once.")
    segments_count: int
    capped: list[int] = Field(
        description="Segments that the model did not end by itself: worth another take."
    )
    audible: bool = Field(description="There is a whole to download.")
    cancelling: bool = Field(description="It was asked to end, and is about to.")
    error: JobError | None


class JobShape(JobLine):
    """A job with its segments."""

    segments: list[Segment]


class Update(BaseModel):
    """What a `progress` event tells."""

    id: str
    state: model.State
    reason: str
    position: int | None
    progress: Progress


class Jobs(BaseModel):
    """Several jobs, the newest first; those of a batch in its order."""

    object: Literal["list"] = "list"
    data: list[JobLine]
    has_more: bool
    next_before: int | None = Field(description="`before` for the next page; null: there is none.")


class Deleted(BaseModel):
    """What is gone."""

    id: str
    object: Literal["job", "voice"]
    deleted: Literal[True] = True


class VoiceShape(BaseModel):
    """A voice of the library."""

    id: str
    object: Literal["voice"] = "voice"
    name: str
    user: str
    shared: bool = Field(description="Everybody of the project may use it.")
    own: bool = Field(description="The caller may delete it.")
    seconds: float
    consent: str = Field(description="The words that whoever uploaded it agreed to.")
    created_at: float


def line(store: Store, job: model.Job) -> JobLine:
    """A job for a list."""
    return JobLine(**_common(job, store.place(job)))


def shape(store: Store, job: model.Job) -> JobShape:
    """A job with its segments; it must have been read with its text."""
    return JobShape(**_common(job, store.place(job)), segments=segments(job))


def update(store: Store, job: model.Job) -> Update:
    """How a job gets on."""
    place = store.place(job)
    return Update(
        id=job.id,
        state=job.state,
        reason=job.reason,
        position=place.position,
        progress=_progress(job, place),
    )


def voice(found: model.Voice, viewer: str | None) -> VoiceShape:
    """A voice, as `viewer` sees it."""
    return VoiceShape(
        id=found.id,
        name=found.name,
        user=found.user,
        shared=found.shared,
        own=viewer in (None, found.user),
        seconds=round(found.seconds, 3),
        consent=found.consent,
        created_at=found.created,
    )


def _progress(job: model.Job, place: model.Place) -> Progress:
    eta = None if place.eta_s is None else round(place.eta_s, 1)
    return Progress(
        audio_s=round(job.audio_s, 3), total_s=round(max(job.estimate_s, job.audio_s), 3), eta_s=eta
    )


def _common(job: model.Job, place: model.Place) -> dict:
    return {
        "id": job.id,
        "state": job.state,
        "reason": job.reason,
        "title": job.title,
        "user": job.user,
        "position": place.position,
        "created_at": job.created,
        "started_at": job.started,
        "ended_at": job.ended,
        "progress": _progress(job, place),
        "speakers": list(job.speakers),
        "voices": list(job.voices),
        "seed": job.seed,
        "guidance": job.guidance,
        "steps": job.steps,
        "one_take": job.one_take,
        "format": job.format,
        "batch": job.batch,
        "segments_count": len(job.segments),
        "capped": [each.n for each in job.segments if each.heard and each.heard.capped],
        "audible": job.audible,
        "cancelling": job.cancelling,
        "error": JobError(type=job.error_type, message=job.error_message) if job.error_type else None,
    }


def segments(job: model.Job) -> list[Segment]:
    """In order, each beginning where the one before ends; of what is not spoken yet, where it is expected."""
    shapes: list[Segment] = []
    begin = 0.0
    for each in job.segments:
        spoken = each.take.seconds if each.take else 0.0
        end = begin + (spoken if each.heard else max(each.estimate_s, spoken))
        turns = job.turns[each.first : each.last]
        next_take = each.coming or each.heard
        shapes.append(
            Segment(
                n=each.n,
                speakers=_in_order([job.speakers[turn.speaker] for turn in turns]),
                text=_first_words(" ".join(turn.text for turn in turns[:4])),
                start_s=round(begin, 3),
                end_s=round(end, 3),
                state=next_take.state if next_take else "waiting",
                take=next_take.number if next_take else 0,
                seed=next_take.seed if next_take else job.seed,
                capped=bool(each.heard and each.heard.capped),
            )
        )
        begin = end
    return shapes


def _in_order(names: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _first_words(text: str) -> str:
    return text if len(text) <= _WORDS else text[: _WORDS - 2].rstrip() + " …"

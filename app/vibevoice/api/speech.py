"""POST /v1/audio/speech, as OpenAI's clients expect it: a job in no history, answered while it is spoken."""

import asyncio
import base64
import contextlib
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from ..audio import FORMATS, encode
from ..jobs import sound
from ..jobs.desk import AUTOMATIC, Order
from ..jobs.errors import NoSuchJob, StoreError
from ..jobs.model import Job
from ..studio import Studio
from .body import at_most
from .encoded import tags
from .errors import EXPECTED, RETRY, Answers, ApiError, from_studio, told
from .models import check_model
from .requests import AudioFormat, Spoken
from .streaming import Broken, HungUp, SoundStream, unless_gone
from .who import TheStudio, Who

log = logging.getLogger(__name__)


class VoiceById(BaseModel):
    """A voice, as newer clients name it."""

    model_config = ConfigDict(strict=True)

    id: str


class SpeechRequest(Spoken):
    """OpenAI's fields, and `voices`, `seed`, `guidance`, `steps`; others are ignored, as there."""

    model_config = ConfigDict(strict=True)

    model: str
    input: str = Field(description="A sentence, or a script: one line for each turn, with who speaks.")
    voice: str | VoiceById = Field(
        AUTOMATIC,
        description="Id or name of a voice of the library, for who speaks first; `default`, and OpenAI's "
        "own names: the model's choice. `voices` says more.",
    )
    instructions: str | None = Field(None, description="Ignored: the model takes its tone from the words.")
    response_format: AudioFormat | None = Field(None, description="null: mp3.")
    speed: Annotated[float, Field(ge=0.25, le=4)] | None = Field(None, description="The pitch stays.")
    stream_format: Literal["audio", "sse"] | None = Field(None, description="null: audio.")

    def order(self) -> Order:
        """For the desk."""
        voice = self.voice if isinstance(self.voice, str) else self.voice.id
        return Order(
            script=self.input,
            voices=self.voices or [voice],
            seed=self.seed,
            guidance=self.guidance,
            steps=self.steps,
            format=self.response_format or "mp3",
            kind="speech",
        )


_HEADERS = {
    "X-Vibevoice-Job": {"description": "The job's id, for the log.", "schema": {"type": "string"}},
    "X-Vibevoice-Seed": {"description": "Gives the same speech again.", "schema": {"type": "integer"}},
}
_BINARY = {"schema": {"type": "string", "format": "binary"}}
SPEECH: Answers = {
    200: {
        "description": "The speech, as it is spoken; with stream_format sse: events speech.audio.delta "
        "(`audio`: base64), then speech.audio.done (`usage`: characters read, frames spoken) or `error`.",
        "content": {each.media_type: _BINARY for each in FORMATS.values()} | {"text/event-stream": {}},
        "headers": _HEADERS,
    }
}


def routes(models: list[str], max_body_size: int) -> APIRouter:
    """The routes below /v1; a body may have so many bytes."""
    router = APIRouter(prefix="/v1/audio", tags=["speech"], route_class=at_most(max_body_size))

    @router.post(
        "/speech",
        responses=SPEECH | told(400, 404, 413, 429, 500),
        response_class=Response,
        summary="Speak a script",
    )
    async def speech(body: SpeechRequest, request: Request, studio: TheStudio, who: Who) -> Response:
        """The headers come with the first sound, so that an error has its status until then. What breaks
        later ends the connection, or the events with `error`. Who hangs up ends the speech."""
        check_model(body.model, models)
        if not studio.takes_speech:
            raise ApiError(503, "The studio is about to stop; try again.", code="not_ready", headers=RETRY)
        await studio.check_minutes(who.allowance)
        (job,) = await asyncio.to_thread(studio.desk.submit, [body.order()], who)
        return await _Answer(studio, job, body).respond(request)

    return router


class _Answer:
    """The answer to one request, and its job, which is gone when the answer is."""

    def __init__(self, studio: Studio, job: Job, asked: SpeechRequest) -> None:
        self._studio, self._job, self._asked = studio, job, asked

    async def respond(self, request: Request) -> Response:
        """Once there is a first sound. Raises ApiError."""
        studio, job = self._studio, self._job
        try:
            pcm = sound.live(studio.store, studio.watch, job.id)
            first = await unless_gone(request, studio, anext(pcm, None))
            if first is None:
                raise await self._failure()
        except HungUp:
            self._forget()
            return Response(status_code=499)
        except BaseException:
            self._forget()
            raise
        made = FORMATS[job.format]
        blocks = encode(
            self._whole(first, pcm), job.format, tags(studio.settings, job), speed=self._asked.speed or 1.0
        )
        headers = {"X-Vibevoice-Job": job.id, "X-Vibevoice-Seed": str(job.seed), "Cache-Control": "no-store"}
        if self._asked.stream_format == "sse":
            kind = "text/event-stream"
            return SoundStream(
                self._events(blocks), kind, headers | {"X-Accel-Buffering": "no"}, self._forget
            )
        headers["Content-Disposition"] = f'attachment; filename="speech{made.suffix}"'
        return SoundStream(blocks, made.media_type, headers, self._forget)

    async def _whole(self, first: bytes, pcm: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """The sound to its end. Raises Broken if the job never gets there."""
        yield first
        async for block in pcm:
            yield block
        job = await asyncio.to_thread(self._studio.store.get, self._job.id, text=False)
        if not job.audible:
            raise Broken(f"{job.id} {job.state}: {job.error_message}")

    async def _events(self, blocks: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        async with contextlib.aclosing(blocks):
            try:
                async for block in blocks:
                    sound = base64.b64encode(block).decode()
                    yield _event({"type": "speech.audio.delta", "audio": sound})
            except (Broken, *EXPECTED) as error:
                failure = await self._failure() if isinstance(error, Broken) else from_studio(error)
                yield b"event: error\n" + _event(failure.body)
                return
        job = await asyncio.to_thread(self._studio.store.get, self._job.id)
        usage = _usage(job)
        yield _event({"type": "speech.audio.done", "usage": usage})

    async def _failure(self) -> ApiError:
        """Why the job did not end well."""
        try:
            job = await asyncio.to_thread(self._studio.store.get, self._job.id, text=False)
        except NoSuchJob:
            return ApiError(503, "The speech was cancelled; try again.", code="cancelled", headers=RETRY)
        if job.state == "cancelled":
            return ApiError(503, "The speech was cancelled; try again.", code="cancelled", headers=RETRY)
        if job.error_type in ("invalid_input", "invalid_voice", "refused"):
            param = {"invalid_input": "input", "invalid_voice": "voice"}.get(job.error_type)
            return ApiError(400, job.error_message, param=param, code=job.error_type)
        message = job.error_message or "The generation failed; the studio's log says why."
        return ApiError(500, message, code=job.error_type or "generation_failed")

    def _forget(self) -> None:
        """Nobody will ask for it again; if it is still spoken, that ends."""
        task = asyncio.create_task(asyncio.to_thread(self._delete))
        _forgetting.add(task)
        task.add_done_callback(_forgetting.discard)

    def _delete(self) -> None:
        try:
            self._studio.store.delete(self._job.id)
        except NoSuchJob:
            pass
        except StoreError as error:
            # The sweep takes it an hour after its end.
            log.error("%s stays for now: %s", self._job.id, error)
        self._studio.desk.poke()


_forgetting: set[asyncio.Task[None]] = set()


def _usage(job: Job) -> dict[str, int]:
    """In the model's own units: characters that it read, frames that it spoke."""
    read = sum(len(turn.text) for turn in job.turns)
    spoken = sum(each.take.frames for each in job.segments if each.take)
    return {"input_tokens": read, "output_tokens": spoken, "total_tokens": read + spoken}


def _event(data: object) -> bytes:
    return f"data: {json.dumps(data)}\n\n".encode()

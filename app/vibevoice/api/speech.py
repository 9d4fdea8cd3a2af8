"""POST /v1/audio/speech and GET /v1/models, as OpenAI's clients expect them."""

import asyncio
import time
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from ..audio import wav
from ..counters import LimitReached
from ..engine import EngineError, Speech, Stream
from ..script import ScriptError
from ..studio import Studio
from .errors import ApiError, from_studio

MODEL = "vibevoice"
VOICES = ("default",)
# How soon a caller that hung up gives the GPU back.
HANGUP_POLL_S = 1.0


class SpeechRequest(BaseModel):
    """OpenAI's fields; unknown ones are ignored, as there."""

    model: str
    input: str
    voice: str | dict[str, Any] = "default"
    # OpenAI's default is mp3, which this studio does not speak; who names no format gets what there is.
    response_format: str = "wav"
    speed: float = 1.0
    stream_format: str = "audio"
    seed: int | None = Field(None, ge=0, lt=2**64)


def routes(studio: Studio) -> APIRouter:
    """The routes below /v1."""
    router = APIRouter(prefix="/v1")
    models = list(dict.fromkeys((MODEL, studio.settings.model_name)))
    created = int(time.time())

    @router.get("/models")
    async def list_models() -> dict[str, Any]:
        return {"object": "list", "data": [_model(name, created) for name in models]}

    @router.get("/models/{name}")
    async def get_model(name: str) -> dict[str, Any]:
        _check_model(name, models)
        return _model(name, created)

    @router.post("/audio/speech")
    async def speech(body: SpeechRequest, request: Request) -> Response:
        _check_model(body.model, models)
        _check_fields(body)
        try:
            await studio.check_minutes(request.state.allowance)
            stream = studio.submit(body.input, seed=body.seed)
            spoken = await _wait(request, stream)
        except (ScriptError, EngineError, LimitReached) as error:
            raise from_studio(error) from error
        sound = await asyncio.to_thread(wav, spoken.samples, spoken.sample_rate)
        return Response(sound, media_type="audio/wav", headers=_headers(spoken))

    return router


async def _wait(request: Request, stream: Stream) -> Speech:
    """The stream's speech; cancels it when its caller hangs up."""
    future = asyncio.wrap_future(stream.future)
    try:
        while not future.done():
            await asyncio.wait([future], timeout=HANGUP_POLL_S)
            if not future.done() and await request.is_disconnected():
                stream.cancel()
        return future.result()
    except (ScriptError, EngineError):
        raise
    except Exception as error:
        raise from_studio(error) from error
    finally:
        stream.cancel()


def _headers(speech: Speech) -> dict[str, str]:
    return {
        "Content-Disposition": 'attachment; filename="speech.wav"',
        "X-Vibevoice-Audio-Seconds": f"{speech.duration:.3f}",
        "X-Vibevoice-Seed": str(speech.seed),
    }


def _model(name: str, created: int) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": created, "owned_by": "vibevoice"}


def _check_model(name: str, models: list[str]) -> None:
    if name not in models:
        known = " or ".join(f"'{model}'" for model in models)
        raise ApiError(
            404, f"There is no model '{name}'; use {known}.", param="model", code="model_not_found"
        )


def _check_fields(body: SpeechRequest) -> None:
    """Refuse what would otherwise be silently ignored."""
    voice = body.voice if isinstance(body.voice, str) else body.voice.get("id")
    if voice not in VOICES:
        raise ApiError(
            400, f"There is no voice '{voice}'; use 'default'.", param="voice", code="voice_not_found"
        )
    for param, value, only in (
        ("response_format", body.response_format, "wav"),
        ("speed", body.speed, 1.0),
        ("stream_format", body.stream_format, "audio"),
    ):
        if value != only:
            raise ApiError(
                400, f"{param} '{value}' is not supported; use '{only}'.", param=param, code="unsupported"
            )

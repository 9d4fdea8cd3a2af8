"""Errors in OpenAI's envelope: {"error": {"message", "type", "param", "code"}}."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from ..audio import EncodingError
from ..counters import LimitReached
from ..engine import Cancelled, EngineError, NotReady, QueueFull, Refused, TooLong
from ..jobs.errors import Conflict, Damaged, KeyReused, NoSuchJob, NoSuchVoice, StoreError, TooManyWaiting
from ..script import ScriptError
from ..voices import VoiceError

RETRY = {"Retry-After": "5"}
ONE, MANY = "one script", "several scripts"
TAGS = (ONE, MANY)
"""How pydantic names the kinds of a request that may be of either."""
EXPECTED = (
    *(Conflict, EncodingError, EngineError, KeyReused, LimitReached, NoSuchJob, NoSuchVoice, ScriptError),
    *(StoreError, TooManyWaiting),
)
"""What the studio says no with; anything else is a mistake of ours."""


class Error(BaseModel):
    """What went wrong."""

    message: str = Field(description="For people: what is wrong, what to do.")
    type: str = Field(
        description="invalid_request_error, authentication_error, rate_limit_error, server_error."
    )
    param: str | None = Field(description="Which field of the request is to blame, where that is known.")
    code: str | None = Field(description="For programs: which error it is.")
    line: int | None = Field(None, description="Of a script: where, from 1.")
    column: int | None = Field(None, description="Of a script: where in the line, from 1.")
    reason: str | None = Field(None, description="Of a script: the message without the place.")


class Envelope(BaseModel):
    """Every answer that is none of 2xx."""

    error: Error


class ApiError(Exception):
    """A request that cannot be served, as its caller sees it."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
        place: Mapping[str, int | str | None] | None = None,
    ) -> None:
        """`place` has line, column and reason of a script's fault."""
        # Whatever it quotes, half a pair of surrogates included.
        message = message.encode("utf-8", "replace").decode()
        super().__init__(message)
        self.status, self.message, self.param, self.code, self.headers = status, message, param, code, headers
        self.place = place or {}

    @property
    def body(self) -> dict[str, Any]:
        """As JSON."""
        told = {"message": self.message, "type": kind(self.status), "param": self.param, "code": self.code}
        return {"error": {**told, **self.place}}


def respond(error: ApiError) -> JSONResponse:
    """The error as a response."""
    return JSONResponse(error.body, error.status, headers=error.headers)


def kind(status: int) -> str:
    """OpenAI's name for the kind of error."""
    named = {401: "authentication_error", 429: "rate_limit_error"}
    return named.get(status, "invalid_request_error" if status < 500 else "server_error")


def from_studio(error: BaseException) -> ApiError:
    """What a caller is told of the studio's own errors."""
    match error:
        case ApiError():
            return error
        case LimitReached():
            retry = {"Retry-After": str(error.retry_after_s)}
            return ApiError(429, str(error), code=error.code, headers=retry)
        case TooManyWaiting():
            retry = {"Retry-After": str(error.retry_after_s)}
            return ApiError(429, str(error), code="queue_full", headers=retry)
        case ScriptError():
            place = {"line": error.line, "column": error.column, "reason": error.reason}
            return ApiError(400, str(error), param="input", code="invalid_input", place=place)
        case TooLong():
            return ApiError(400, str(error), param="input", code="invalid_input")
        case VoiceError():
            return ApiError(400, str(error), param=error.param or "voice", code="invalid_voice")
        case Refused():
            return ApiError(400, str(error), param=error.param, code="refused")
        case NoSuchVoice():
            return ApiError(400, _words(error), param="voice", code="voice_not_found")
        case NoSuchJob():
            return ApiError(404, _words(error), code="job_not_found")
        case KeyReused():
            return ApiError(409, str(error), param="Idempotency-Key", code="idempotency_key_reused")
        case Conflict():
            return ApiError(409, str(error), code="conflict")
        case _:
            return _ours(error)


def _ours(error: BaseException) -> ApiError:
    """What is not the caller's fault."""
    match error:
        case QueueFull():
            return ApiError(429, f"Busy: {error}. Try again later.", code="queue_full", headers=RETRY)
        case NotReady():
            return ApiError(503, f"Not ready: {error}. Try again later.", code="not_ready", headers=RETRY)
        case Cancelled():
            return ApiError(
                503, "The studio stopped before the end; try again.", code="stopped", headers=RETRY
            )
        case Damaged():
            message = "Sound of this job was lost on the disk; regenerate the segment, or hand it in again."
            return ApiError(500, message, code="sound_damaged")
        case StoreError(full=True) | EncodingError(full=True):
            message = "The project's disk is full. Delete old jobs, or ask whoever runs the studio for space."
            return ApiError(503, message, code="disk_full", headers=RETRY)
        case StoreError():
            message = "The project's job store does not answer. Try again later."
            return ApiError(503, message, code="store_unavailable", headers=RETRY)
        case EncodingError():
            return ApiError(
                500, "The sound could not be encoded; try another format.", code="encoding_failed"
            )
    return ApiError(500, "The generation failed; the studio's log says why.", code="generation_failed")


def _words(error: LookupError) -> str:
    # str() of a LookupError may quote its message.
    return str(error.args[0]) if error.args else "There is no such thing."


def install(app: FastAPI) -> None:
    """Let every error of the API's own routes leave in the envelope."""

    async def ours(request: Request, error: Exception) -> JSONResponse:
        return respond(from_studio(error))

    for expected in (ApiError, *EXPECTED):
        app.add_exception_handler(expected, ours)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return respond(_of_a_field(error.errors()[0]))

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        code = "request_too_large" if error.status_code == 413 else None
        return respond(ApiError(error.status_code, str(error.detail), code=code, headers=error.headers))

    @app.exception_handler(Exception)
    async def _unexpected(request: Request, error: Exception) -> JSONResponse:
        return respond(ApiError(500, "Something broke here; the studio's log says what.", code="internal"))


_SAID_BY_PYDANTIC = {
    "string_pattern_mismatch": "There are characters in it that may not be: control characters, line breaks, "
    "and in names slashes.",
    "model_attributes_type": "Send a JSON object, as application/json.",
    "value_error": "Send a file, as multipart/form-data does.",
}
"""Where pydantic speaks to programmers."""


def _of_a_field(first: Mapping[str, Any]) -> ApiError:
    """`first` is pydantic's. A field within one of a batch is named with its place: batch.2.input."""
    if first["type"] == "json_invalid":
        return ApiError(400, f"The request is not valid JSON: {first['ctx']['error']}", code="json_invalid")
    # Behind the field's name come the names of the types that were tried.
    named = [str(part) for part in first["loc"][1:] if part not in TAGS]
    param = ".".join(named[: 3 if named[:1] == ["batch"] else 1]) or None
    said = _SAID_BY_PYDANTIC.get(first["type"], first["msg"])
    message = f"{param}: {said}" if param else f"The request's body: {said}"
    return ApiError(400, message, param=param, code=first["type"])


Answers = dict[int | str, dict[str, Any]]
_RETRY_AFTER = {
    "Retry-After": {"description": "Seconds until it is worth trying again.", "schema": {"type": "integer"}}
}
_SAID: Mapping[int, str] = {
    400: "The request is wrong; `param` and `message` say where.",
    401: "It did not come through the gateway.",
    404: "There is no such thing, or it is somebody else's.",
    409: "Not in this state, or not together with what there is.",
    413: "The request is too large.",
    416: "The range lies behind the end.",
    429: "A limit is reached.",
    500: "It failed here.",
    503: "Not now.",
}


def told(*statuses: int) -> Answers:
    """Errors that a route may answer with, for its `responses`."""
    return {
        status: {"model": Envelope, "description": _SAID[status]}
        | ({"headers": _RETRY_AFTER} if status in (429, 503) else {})
        for status in statuses
    }

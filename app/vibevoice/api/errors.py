"""Errors in OpenAI's envelope: {"error": {"message", "type", "param", "code"}}."""

from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from ..counters import LimitReached
from ..engine import Cancelled, NotReady, QueueFull, Refused, TooLong
from ..script import ScriptError
from ..voices import VoiceError

RETRY = {"Retry-After": "5"}


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
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.code, self.headers = status, message, param, code, headers


def respond(error: ApiError) -> JSONResponse:
    """The error as a response."""
    body = {"message": error.message, "type": _kind(error.status), "param": error.param, "code": error.code}
    return JSONResponse({"error": body}, error.status, headers=error.headers)


def _kind(status: int) -> str:
    """OpenAI's name for the kind of error."""
    named = {401: "authentication_error", 429: "rate_limit_error"}
    return named.get(status, "invalid_request_error" if status < 500 else "server_error")


def from_studio(error: Exception) -> ApiError:
    """What a caller is told of the engine's, the script's and the limits' errors."""
    match error:
        case LimitReached():
            retry = {"Retry-After": str(error.retry_after_s)}
            return ApiError(429, str(error), code=error.code, headers=retry)
        case ScriptError() | TooLong():
            return ApiError(400, str(error), param="input", code="invalid_input")
        case VoiceError():
            return ApiError(400, str(error), param="voice", code="invalid_voice")
        case Refused():
            return ApiError(400, str(error), param=error.param, code="refused")
        case QueueFull():
            return ApiError(429, f"Busy: {error}. Try again later.", code="queue_full", headers=RETRY)
        case NotReady():
            return ApiError(503, f"Not ready: {error}. Try again later.", code="not_ready", headers=RETRY)
        case Cancelled():
            return ApiError(
                503, "The studio stopped before the end; try again.", code="stopped", headers=RETRY
            )
    return ApiError(500, "The generation failed; the studio's log says why.", code="generation_failed")


def install(app: FastAPI) -> None:
    """Let every error of the API's own routes leave in the envelope."""

    @app.exception_handler(ApiError)
    async def _api(request: Request, error: ApiError) -> JSONResponse:
        return respond(error)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        # ("body", "speed") names a field; ("body", 17) is a place in a text that is no JSON.
        named = [part for part in first["loc"][1:] if isinstance(part, str)]
        param = ".".join(named) or None
        message = f"{param}: {first['msg']}" if param else f"The request is not valid JSON: {first['msg']}"
        return respond(ApiError(400, message, param=param, code=first["type"]))

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        return respond(ApiError(error.status_code, str(error.detail), headers=error.headers))

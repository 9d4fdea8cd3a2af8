"""GET /v1/openapi.json: the API in the words of OpenAPI."""

from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse

from ..settings import Settings
from .errors import Envelope, told

TITLE = "VibeVoice studio"
ABOUT = """Scripts in, speech out. `POST /v1/audio/speech` answers with the sound, as OpenAI's does; `POST
/v1/jobs` takes scripts of any length, which are spoken whether somebody waits or not.

Errors are always `{"error": {"message", "type", "param", "code"}}`. Fields that are not known are ignored."""


def routes(settings: Settings) -> APIRouter:
    """The document's own route, below /v1."""
    router = APIRouter(prefix="/v1")

    @router.get("/openapi.json", include_in_schema=False)
    async def document(request: Request) -> JSONResponse:
        return JSONResponse(describe(request.app, settings))

    return router


def describe(app: FastAPI, settings: Settings) -> dict[str, Any]:
    """The document of all routes below /v1."""
    made = get_openapi(
        title=TITLE,
        version="1",
        description=ABOUT,
        routes=app.routes,
        servers=[{"url": settings.root_path or "/"}],
    )
    schemas = made["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    everywhere = {str(status): _response(answer) for status, answer in told(401, 429, 503).items()}
    wrong = {str(status): _response(answer) for status, answer in told(400).items()}
    for operation in (each for path in made["paths"].values() for each in path.values()):
        answers = operation["responses"]
        # What does not fit the schema is a 400 here, as everywhere at OpenAI's.
        if answers.pop("422", None):
            answers |= {status: answer for status, answer in wrong.items() if status not in answers}
        answers |= {status: answer for status, answer in everywhere.items() if status not in answers}
        for status, answer in answers.items():
            if int(status) >= 400:
                # FastAPI gives errors the media type of the route's good answers.
                answer |= _response({})
            elif "text/event-stream" in answer.get("content", {}):
                # A schema would be taken for that of each event.
                answer["content"]["text/event-stream"] = {}
        for parameter in operation.get("parameters", ()):
            parameter["schema"] = _given(parameter["schema"])
    return made


def _given(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter's schema for when it is there: an address and a header know no null."""
    match [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]:
        case [only]:
            return {name: value for name, value in schema.items() if name != "anyOf"} | only
    return schema


def _response(answer: dict[str, Any]) -> dict[str, Any]:
    reference = {"$ref": f"#/components/schemas/{Envelope.__name__}"}
    kept = {name: value for name, value in answer.items() if name != "model"}
    return kept | {"content": {"application/json": {"schema": reference}}}

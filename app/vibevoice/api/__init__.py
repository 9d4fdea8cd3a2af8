"""The studio's HTTP API; knows the studio, its desk and its store, nothing of models."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from starlette.routing import Match

from .. import uploads
from ..settings import Settings
from ..studio import Studio
from . import audio, document, errors, events, health, jobs, me, models, scripts, speech, voices
from .encoded import Encoded

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
# A character of a script takes up to 12 bytes of JSON ("\ud83d\ude00"); the rest is for everything else.
_CHARACTER, _REST = 12, 64 * 1024
# A batch may have so many scripts of the greatest length, or many more shorter ones.
_LONGEST_IN_BATCH = 10


def application(studio: Studio) -> FastAPI:
    """The API of a studio; starting the application starts the studio."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        studio.start()
        yield

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.studio = studio
    errors.install(app)
    app.include_router(health.routes(studio), include_in_schema=False)
    names = models.names(studio.settings)
    script = script_bytes(studio.settings)
    for router in (
        models.routes(names),
        speech.routes(names, script),
        scripts.routes(script),
        # Before the jobs: `events` is no job's id.
        events.routes(),
        jobs.routes(_LONGEST_IN_BATCH * script),
        audio.routes(Encoded(studio)),
        voices.routes(uploads.MAX_BYTES + _REST),
        me.routes(),
        document.routes(studio.settings),
    ):
        app.include_router(router)
    routes = tuple(app.routes)

    # The page is mounted at the root and would answer for everything else, in its own words.
    @app.api_route("/v1/{rest:path}", methods=list(METHODS), include_in_schema=False)
    async def unknown(rest: str, request: Request) -> None:
        path = request.url.path
        allowed = [method for method in METHODS if _has(routes, method, path)]
        if allowed:
            raise errors.ApiError(
                405,
                f"/v1/{rest[:200]} takes {' and '.join(allowed)}, not {request.method}.",
                code="method_not_allowed",
                headers={"Allow": ", ".join(allowed)},
            )
        raise errors.ApiError(404, f"There is no /v1/{rest[:200]} here.", code="not_found")

    return app


def script_bytes(settings: Settings) -> int:
    """The largest request with one script."""
    return _CHARACTER * settings.max_input_chars + _REST


def _has(routes: tuple, method: str, path: str) -> bool:
    scope = {"type": "http", "method": method, "path": path, "root_path": "", "headers": []}
    return any(route.matches(dict(scope))[0] == Match.FULL for route in routes)

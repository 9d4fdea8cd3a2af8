"""The studio's HTTP API; knows the studio and the engine's small interface, nothing of models."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from ..studio import Studio
from . import errors, events, health, me, speech


def application(studio: Studio) -> FastAPI:
    """The API of a studio; starting the application loads the model."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        studio.start()
        yield

    app = FastAPI(
        title="VibeVoice studio", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None
    )
    errors.install(app)
    for part in (health, speech, events, me):
        app.include_router(part.routes(studio))

    # The page is mounted at the root and would answer for everything else, in its own words.
    @app.api_route(
        "/v1/{rest:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"], include_in_schema=False
    )
    async def unknown(rest: str) -> None:
        raise errors.ApiError(404, f"There is no /v1/{rest} here, or not with this method.", code="not_found")

    return app

"""Health, for Docker (alive?) and for the proxies (may a request be sent here?)."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from ..studio import Studio


def routes(studio: Studio) -> APIRouter:
    """The routes below /health."""
    router = APIRouter(prefix="/health")

    @router.get("/live")
    async def live() -> JSONResponse:
        # That the engine gets on is its supervisor's to see, which replaces one that does not.
        reason = studio.lost
        return JSONResponse({"state": reason or "live"}, 503 if reason else 200)

    @router.get("/ready")
    async def ready() -> JSONResponse:
        return JSONResponse(studio.status(), 200 if studio.state == "ready" else 503)

    return router

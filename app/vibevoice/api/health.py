"""Health, for Docker (alive?) and for the proxies (may a request be sent here?)."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from ..studio import Studio


def routes(studio: Studio) -> APIRouter:
    """The routes below /health."""
    router = APIRouter(prefix="/health")

    @router.get("/live")
    async def live() -> dict[str, str]:
        return {"state": "live"}

    @router.get("/ready")
    async def ready() -> JSONResponse:
        return JSONResponse(studio.status(), 200 if studio.state == "ready" else 503)

    return router

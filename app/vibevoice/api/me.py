"""GET /v1/me: who the studio takes a caller for, and what is left of the project's limits."""

from typing import Any

from fastapi import APIRouter, Request

from ..studio import Studio


def routes(studio: Studio) -> APIRouter:
    """The routes below /v1."""
    router = APIRouter(prefix="/v1")

    @router.get("/me")
    async def me(request: Request) -> dict[str, Any]:
        allowance = request.state.allowance
        answer: dict[str, Any] = {
            "project": studio.settings.project,
            "user": allowance.user if allowance else None,
            "minutes_today": round(await studio.minutes_today(), 2),
            "limits": None,
        }
        if allowance:
            answer["limits"] = allowance.model_dump(include={"streams", "upload_bytes", "minutes_per_day"})
        return answer

    return router

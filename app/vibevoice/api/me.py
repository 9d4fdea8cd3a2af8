"""GET /v1/me: who the studio takes a caller for, and what is left of the project's limits."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from .who import TheStudio, Who


class ProjectLimits(BaseModel):
    """What the project may do, as the gateway has it."""

    streams: int = Field(description="Streams open at once.")
    upload_bytes: int = Field(description="Size of the largest request.")
    minutes_per_day: float | None = Field(description="Minutes of speech for each UTC day; null: no limit.")


class Me(BaseModel):
    """A caller."""

    project: str
    user: str | None = Field(description="null where nobody logs in.")
    minutes_today: float = Field(description="Minutes of speech that the project has made today (UTC).")
    limits: ProjectLimits | None = Field(description="null: none.")


def routes() -> APIRouter:
    """The routes below /v1."""
    router = APIRouter(prefix="/v1", tags=["me"])

    @router.get("/me", summary="Who asks")
    async def me(studio: TheStudio, who: Who) -> Me:
        """The caller, and the project's limits."""
        allowance = who.allowance
        limits = allowance and ProjectLimits(
            streams=allowance.streams,
            upload_bytes=allowance.upload_bytes,
            minutes_per_day=allowance.minutes_per_day,
        )
        return Me(
            project=studio.settings.project,
            user=allowance.user if allowance else None,
            minutes_today=round(await studio.minutes_today(), 2),
            limits=limits,
        )

    return router

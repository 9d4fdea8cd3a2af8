"""GET /v1/events: the studio's status as it changes, as server-sent events."""

import json
from collections.abc import AsyncIterator

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from ..studio import Studio


def routes(studio: Studio) -> APIRouter:
    """The event stream's route."""
    router = APIRouter(prefix="/v1")

    @router.get("/events")
    async def events() -> StreamingResponse:
        # A proxy that buffers or compresses would hold events back.
        headers = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
        return StreamingResponse(_events(studio), media_type="text/event-stream", headers=headers)

    return router


async def _events(studio: Studio) -> AsyncIterator[str]:
    """`status` at once and after each change, `heartbeat` when nothing changes, `bye` before the end."""
    number = 0
    yield _event("status", number, studio)
    async for changed in studio.changes(studio.settings.heartbeat_s):
        number += 1
        yield _event("status" if changed else "heartbeat", number, studio)
    yield _event("bye", number + 1, studio)


def _event(kind: str, number: int, studio: Studio) -> str:
    return f"id: {number}\nevent: {kind}\ndata: {json.dumps(studio.status())}\n\n"

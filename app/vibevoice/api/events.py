"""Server-sent events: the studio's status as it changes, and what happens to jobs."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Path
from fastapi.responses import Response, StreamingResponse

from ..jobs import model
from ..jobs.desk import Visitor
from ..jobs.errors import NoSuchJob, StoreError
from ..studio import Studio
from . import shapes
from .errors import told
from .who import TheStudio, Who

log = logging.getLogger(__name__)
# A proxy that buffers or compresses would hold events back.
HEADERS = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
EVENTS = {
    200: {
        "description": "Events, with `id`, `event` and `data` (JSON). Comments in between are heartbeats.",
        "content": {"text/event-stream": {}},
    }
}
# The store changes with every bit of sound; nobody sees more than a few changes in a second.
PACE_S = 0.25
LastEventId = Annotated[
    str | None,
    Header(alias="Last-Event-ID", description="The last event that was heard: those after it follow."),
]


class EventStream(StreamingResponse):
    """Says what it is in the document, too."""

    media_type = "text/event-stream"


def routes() -> APIRouter:
    """The event streams' routes."""
    router = APIRouter(prefix="/v1", tags=["events"], default_response_class=EventStream)

    @router.get("/events", responses=EVENTS | told(429), summary="The studio's status as it changes")
    async def events(studio: TheStudio) -> EventStream:
        """`status` at once and after each change, `heartbeat` when nothing changes, `bye` before the end."""
        return EventStream(_status(studio), headers=HEADERS)

    @router.get("/jobs/events", responses=EVENTS | told(429), summary="What happens to all jobs")
    async def all_events(studio: TheStudio, who: Who, last_event_id: LastEventId = None) -> EventStream:
        """`progress` of each unfinished job at once, then `progress`, `segment`, `done`, `error` as they
        come; `bye` before the end."""
        return EventStream(_Told(studio, who, None).events(_number(last_event_id)), headers=HEADERS)

    @router.get(
        "/jobs/{id}/events",
        responses=EVENTS | {204: {"description": "There is no more."}} | told(404, 429),
        summary="What happens to a job",
    )
    async def job_events(
        id: Annotated[str, Path(description="A job's id.")],
        studio: TheStudio,
        who: Who,
        last_event_id: LastEventId = None,
    ) -> Response:
        """The state at once, then `progress`, `segment` and, as the last one, `done` or `error`; `bye` where
        the studio stops before. To whoever has heard the last one the answer is 204: there is no more."""
        after = _number(last_event_id)
        job = await asyncio.to_thread(studio.store.get, id, who.viewer, text=False)
        if after is not None and job.final:
            news = await asyncio.to_thread(studio.store.events, after, job=id, viewer=who.viewer)
            if not news:
                return Response(status_code=204)
        return EventStream(_Told(studio, who, id).events(after), headers=HEADERS)

    return router


async def _status(studio: Studio) -> AsyncIterator[str]:
    number = 0
    yield event("status", studio.status(), number)
    async for changed in studio.changes(studio.settings.heartbeat_s):
        number += 1
        yield event("status" if changed else "heartbeat", studio.status(), number)
    yield event("bye", studio.status(), number + 1)


class _Told:
    """What one listener has been told of one job, or of all that they see."""

    def __init__(self, studio: Studio, who: Visitor, job: str | None) -> None:
        self._studio, self._store, self._job, self._viewer = studio, studio.store, job, who.viewer
        self._places: dict[str, shapes.Update] = {}
        """Of those that wait, as last told: they get on without an event of their own."""
        self._over = False

    async def events(self, after: int | None) -> AsyncIterator[str]:
        """From the one behind `after` on; None, or a number of another store's: from the present state on.

        Ends where the store fails: whoever listens comes back, with the number of what they heard last.
        """
        try:
            async for told in self._events(after):
                yield told
        except StoreError as error:
            log.error("An event stream ends: %s", error)

    async def _events(self, after: int | None) -> AsyncIterator[str]:
        studio, clock = self._studio, asyncio.get_running_loop().time
        seen, beat = studio.watch.seen, studio.settings.heartbeat_s
        last = await asyncio.to_thread(self._store.last_event)
        if after is None or after > last:
            after = last
            for told in await asyncio.to_thread(self._present, last):
                yield told
        heard = clock()
        while not self._over:
            for number, told in await asyncio.to_thread(self._news, after):
                after, heard = number, clock()
                yield told
            if self._over or studio.leaving.is_set():
                break
            await asyncio.sleep(min(PACE_S, beat))
            seen = await studio.watch.wait(seen, max(0.0, heard + beat - clock()))
            # By what this listener has heard: the store of a busy studio changes all the time, and a job that
            # waits behind a hundred others has no news of its own.
            if clock() - heard >= beat:
                heard = clock()
                yield ": heartbeat\n\n"
        if not self._over:
            yield event("bye", {})

    def _present(self, last: int) -> list[str]:
        if self._job is None:
            jobs = self._store.list(self._viewer, states=("queued", "running"), limit=1000, text=False)
            updates = [shapes.update(self._store, job) for job in reversed(jobs)]
            self._places = {each.id: each for each in updates if each.position}
            return [event("progress", each.model_dump(), last) for each in updates]
        job = self._store.get(self._job, self._viewer)
        self._over = job.final
        kind = "progress" if not job.final else "error" if job.state == "failed" else "done"
        return [event(kind, shapes.shape(self._store, job).model_dump(), last)]

    def _news(self, after: int) -> list[tuple[int, str]]:
        """What has happened since, each with its number."""
        try:
            found = self._store.events(after, job=self._job, viewer=self._viewer)
        except NoSuchJob:
            # Deleted while somebody listened.
            self._over = True
            return []
        told = []
        for each in found:
            text = self._tell(each)
            if text:
                told.append((each.number, text))
        return told + [(found[-1].number if found else after, text) for text in self._moved()]

    def _tell(self, what: model.Event) -> str:
        """An event, with the job as it is now."""
        try:
            job = self._store.get(what.job, self._viewer, text=what.kind != "progress")
        except NoSuchJob:
            return ""
        if job.kind == "speech" and self._job is None:
            return ""
        if what.kind == "progress":
            update = shapes.update(self._store, job)
            if update.position:
                self._places[job.id] = update
            return event("progress", update.model_dump(), what.number)
        self._places.pop(job.id, None)
        if what.kind != "segment" and self._job is not None and job.final:
            self._over = True
        return event(what.kind, shapes.shape(self._store, job).model_dump(), what.number)

    def _moved(self) -> list[str]:
        """Those that wait, where others before them have come or gone."""
        moved = []
        for id, before in list(self._places.items()):
            try:
                update = shapes.update(self._store, self._store.get(id, self._viewer, text=False))
            except NoSuchJob:
                del self._places[id]
                continue
            if update.position != before.position:
                moved.append(event("progress", update.model_dump()))
            if update.position:
                self._places[id] = update
            else:
                del self._places[id]
        return moved


def event(kind: str, data: object, number: int | None = None) -> str:
    """One event; without a number the listener's last one stays what it was."""
    id = "" if number is None else f"id: {number}\n"
    return f"{id}event: {kind}\ndata: {json.dumps(data)}\n\n"


def _number(id: str | None) -> int | None:
    return int(id) if id is not None and id.isascii() and id.isdecimal() and len(id) < 19 else None

"""/v1/jobs: hand scripts in, see what became of them, and do something about it."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

from ..jobs import model
from ..jobs.desk import LONGEST_KEY, LONGEST_TITLE, Order, Visitor, check_text
from ..studio import Studio
from . import shapes
from .body import at_most
from .errors import told
from .requests import BatchRequest, JobsRequest, TakeRequest, TitleRequest
from .shapes import Deleted, Jobs, JobShape
from .who import TheStudio, Who

Id = Annotated[str, Path(description="A job's id.")]
N = Annotated[int, Path(ge=0, le=1_000_000, description="A segment's number, from 0.")]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=LONGEST_KEY,
        pattern=r"^[\x20-\x7e]+$",
        description="The same key and body again, within a day: the answer is the jobs of the first time.",
    ),
]


class Segments(BaseModel):
    """A job's segments, in order."""

    object: str = "list"
    data: list[shapes.Segment]


def routes(max_body_size: int) -> APIRouter:
    """The routes below /v1/jobs; a body may have so many bytes."""
    router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=at_most(max_body_size))

    @router.post("", status_code=201, responses=told(400, 409, 413, 429), summary="Hand in scripts")
    async def submit(
        body: JobsRequest, studio: TheStudio, who: Who, idempotency_key: Key = None
    ) -> JobShape | Jobs:
        """One script, or a batch. They are spoken one after the other, fairly between users; what becomes
        of them is told by the job itself and by its events."""
        await studio.check_minutes(who.allowance)
        many = isinstance(body, BatchRequest)
        orders = [each.order() for each in (body.batch if many else [body])]
        return await asyncio.to_thread(_submit, studio, orders, who, idempotency_key, many)

    @router.get("", responses=told(400), summary="The history")
    def history(
        studio: TheStudio,
        who: Who,
        search: Annotated[str, Query(max_length=200, description="In titles and scripts.")] = "",
        state: Annotated[list[model.State] | None, Query(description="None: all.")] = None,
        before: Annotated[
            int | None, Query(ge=0, lt=2**63, description="`next_before` of the page before.")
        ] = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 50,
    ) -> Jobs:
        """Own jobs, or everybody's where the project shares them; the newest first."""
        found = studio.store.list(
            who.viewer, search=search, states=state or (), before=before, limit=limit + 1, text=False
        )
        page = found[:limit]
        more = len(found) > limit
        return Jobs(
            data=[shapes.line(studio.store, job) for job in page],
            has_more=more,
            next_before=page[-1].number if more else None,
        )

    @router.get("/{id}", responses=told(404), summary="A job")
    def get(id: Id, studio: TheStudio, who: Who) -> JobShape:
        """State, progress, segments."""
        return shapes.shape(studio.store, studio.store.get(id, who.viewer))

    @router.get(
        "/{id}/script",
        response_class=PlainTextResponse,
        responses=told(404),
        summary="A job's script",
    )
    def script(id: Id, studio: TheStudio, who: Who) -> PlainTextResponse:
        """As it was handed in."""
        job = studio.store.get(id, who.viewer)
        # Half of a pair of surrogates is no text.
        return PlainTextResponse(job.script.encode("utf-8", "replace"))

    @router.get("/{id}/segments", responses=told(404), summary="A job's segments")
    def segments(id: Id, studio: TheStudio, who: Who) -> Segments:
        """In order."""
        return Segments(data=shapes.segments(studio.store.get(id, who.viewer)))

    @router.patch("/{id}", responses=told(400, 404, 413), summary="Rename a job")
    def rename(id: Id, body: TitleRequest, studio: TheStudio, who: Who) -> JobShape:
        """Files that are downloaded from now on have the new title."""
        check_text(body.title, LONGEST_TITLE, "The title", "title")
        return shapes.shape(studio.store, studio.store.rename(id, body.title.strip(), who.viewer))

    @router.post("/{id}/cancel", responses=told(404), summary="Stop a job")
    def cancel(id: Id, studio: TheStudio, who: Who) -> JobShape:
        """What has been spoken stays, and `retry` goes on behind it. One that has ended is left as it is."""
        return _told(studio, studio.store.cancel(id, who.viewer))

    @router.post("/{id}/retry", responses=told(404, 409, 429), summary="Go on with a job")
    async def retry(id: Id, studio: TheStudio, who: Who) -> JobShape:
        """With one that failed or was cancelled, behind what there is of it."""
        await studio.check_minutes(who.allowance)
        return await asyncio.to_thread(lambda: _told(studio, studio.store.retry(id, who.viewer)))

    @router.post(
        "/{id}/segments/{n}/regenerate",
        responses=told(400, 404, 409, 413, 429),
        summary="Speak a segment anew",
    )
    async def regenerate(
        id: Id, n: N, studio: TheStudio, who: Who, body: TakeRequest | None = None
    ) -> JobShape:
        """The take before is heard until the new one is there."""
        await studio.check_minutes(who.allowance)
        seed = body.seed if body else None
        return await asyncio.to_thread(
            lambda: _told(studio, studio.store.regenerate(id, n, who.viewer, seed=seed))
        )

    @router.delete("/{id}", responses=told(404), summary="Delete a job")
    def delete(id: Id, studio: TheStudio, who: Who) -> Deleted:
        """With all its sound, whatever it is about."""
        studio.store.delete(id, who.viewer)
        studio.desk.poke()
        return Deleted(id=id, object="job")

    return router


def _submit(
    studio: Studio, orders: list[Order], who: Visitor, key: str | None, many: bool
) -> JobShape | Jobs:
    jobs = studio.desk.submit(orders, who, key)
    if many:
        return Jobs(data=[shapes.line(studio.store, job) for job in jobs], has_more=False, next_before=None)
    return shapes.shape(studio.store, jobs[0])


def _told(studio: Studio, job: model.Job) -> JobShape:
    """The job, of which there is something new for the runners."""
    studio.desk.poke()
    return shapes.shape(studio.store, job)

"""GET /v1/jobs/{id}/audio and subtitles: what there is to hear of a job, and to read along."""

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from ..audio import FORMATS, encode
from ..audio.subtitles import cues, srt, vtt
from ..jobs import sound
from . import files
from .encoded import Encoded, check_audible, tags
from .errors import told
from .requests import AudioFormat
from .streaming import SoundStream
from .who import TheStudio, Who

Id = Annotated[str, Path(description="A job's id.")]
N = Annotated[int | None, Query(ge=0, le=1_000_000, description="One segment of it, from 0.")]
Download = Annotated[bool, Query(description="As a file to keep, named by the title.")]
Speed = Annotated[float, Query(ge=0.25, le=4, description="The pitch stays.")]
SOUND = files.answers(each.media_type for each in FORMATS.values())
SUBTITLES = {"srt": ("application/x-subrip", srt), "vtt": ("text/vtt", vtt)}
_TEXT = {"schema": {"type": "string"}}


def routes(encoded: Encoded) -> APIRouter:
    """The routes below /v1/jobs."""
    router = APIRouter(prefix="/v1/jobs", tags=["sound"])

    @router.get(
        "/{id}/audio",
        responses=SOUND | told(400, 404, 409, 416, 500),
        response_class=Response,
        summary="A job's sound",
    )
    async def audio(
        id: Id,
        studio: TheStudio,
        who: Who,
        format: Annotated[AudioFormat | None, Query(description="None: what its owner chose.")] = None,
        live: Annotated[bool, Query(description="From the first second on, as it is spoken.")] = False,
        segment: N = None,
        speed: Speed = 1.0,
        download: Download = False,
    ) -> Response:
        """The whole or one segment as a file, with ranges; with `live`, as it is spoken."""
        job = await asyncio.to_thread(studio.store.get, id, who.viewer, text=False)
        chosen = format or job.format
        made = FORMATS[chosen]
        name = job.title if segment is None else f"{job.title} {segment + 1}"
        headers = {
            "Cache-Control": "private, no-cache",
            "Content-Disposition": files.disposition(name, made.suffix, download=download),
            "X-Vibevoice-Job": job.id,
        }
        if live:
            if segment is not None and segment >= len(job.segments):
                check_audible(job, segment)
            pcm = sound.live(studio.store, studio.watch, id, who.viewer, segment=segment)
            blocks = encode(pcm, chosen, tags(studio.settings, job), speed=speed)
            return SoundStream(blocks, media_type=made.media_type, headers=headers)
        path, key = await encoded.file(job, segment, chosen, speed)
        return files.Ranged(path, made.media_type, headers | {"ETag": f'"{key}"'})

    @router.get(
        "/{id}/subtitles",
        responses={200: {"content": {media_type: _TEXT for media_type, _ in SUBTITLES.values()}}}
        | told(400, 404, 409),
        response_class=Response,
        summary="A job's words with their times",
    )
    def subtitles(
        id: Id,
        studio: TheStudio,
        who: Who,
        format: Annotated[Literal["srt", "vtt"], Query()] = "srt",
        download: Download = False,
    ) -> Response:
        """Each turn where it is heard: exact for segments, estimated within."""
        job = studio.store.get(id, who.viewer)
        check_audible(job, None)
        media_type, write = SUBTITLES[format]
        headers = {"Content-Disposition": files.disposition(job.title, f".{format}", download=download)}
        return Response(write(cues(job)), media_type=media_type, headers=headers)

    return router

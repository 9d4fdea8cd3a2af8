"""/v1/audio/voices: the library of voices to speak with."""

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, File, Form, Path, UploadFile
from fastapi.responses import Response
from pydantic import BaseModel, Field

from .. import uploads
from ..jobs.desk import AUTOMATIC, PRESETS, check_text
from ..jobs.errors import NoSuchVoice
from ..jobs.model import Voice
from ..jobs.store import Store
from ..voices import VoiceError
from . import files, shapes
from .body import at_most
from .errors import ApiError, told
from .requests import VISIBLE
from .shapes import Deleted, VoiceShape
from .who import TheStudio, Who

LONGEST_NAME = 100
LONGEST_CONSENT = 1000
CONSENT = "I have the consent of the person whose voice this is."
"""What somebody agreed to who said `true`."""
_NO = ("", "false", "no", "0", "off", "none", "null")
_YES = ("true", "yes", "1", "on")
# Part of an address: one line, no slashes, something to be seen in it.
_FIT = r"[^/\\\x00-\x1f\x7f-\x9f\u2028\u2029]*"
NAME = rf"^{_FIT}[^\s/\\\x00-\x1f\x7f-\x9f\u2028\u2029]{_FIT}$"
Id = Annotated[str, Path(description="A voice's id, or its name.")]
CLIP = files.answers(["audio/wav"])


class Voices(BaseModel):
    """The library."""

    object: Literal["list"] = "list"
    data: list[VoiceShape]
    voices: list[str] = Field(description="All that a request may name, as other servers list them.")


def routes(max_body_size: int) -> APIRouter:
    """The routes below /v1/audio/voices; an upload may have so many bytes."""
    router = APIRouter(prefix="/v1/audio/voices", tags=["voices"], route_class=at_most(max_body_size))

    @router.get("", summary="The library")
    def library(studio: TheStudio, who: Who) -> Voices:
        """Own voices and those that are for everybody, by name."""
        found = studio.store.library.list(who.viewer)
        return Voices(
            data=[shapes.voice(each, who.viewer) for each in found],
            voices=[AUTOMATIC, *PRESETS, *(each.name for each in found)],
        )

    @router.post("", status_code=201, responses=told(400, 409, 413), summary="Add a voice")
    async def add(
        studio: TheStudio,
        who: Who,
        name: Annotated[str, Form(min_length=1, max_length=LONGEST_NAME, pattern=NAME)],
        consent: Annotated[
            str,
            Form(
                min_length=1,
                max_length=LONGEST_CONSENT,
                pattern=VISIBLE,
                description="`true`, or in words, that the person whose voice it is agrees. It is kept.",
            ),
        ],
        file: Annotated[
            UploadFile | None, File(description="A recording of one person, 1 to 60 s, of any common format.")
        ] = None,
        audio_sample: Annotated[UploadFile | None, File(description="The same, as others call it.")] = None,
        shared: Annotated[bool, Form(description="For everybody of the project.")] = False,
    ) -> VoiceShape:
        """Only with the consent of who speaks."""
        clip = file or audio_sample
        if clip is None:
            raise ApiError(400, "There is no `file`: send a recording.", param="file", code="missing")
        check_text(name, LONGEST_NAME, "The name", "name")
        words = _consent(consent)
        try:
            samples = await uploads.convert(await clip.read())
        except VoiceError as error:
            raise ApiError(400, str(error), param="file", code="invalid_voice") from error
        voice = await asyncio.to_thread(
            studio.store.library.add, name.strip(), who.user, shared, samples, words
        )
        return shapes.voice(voice, who.viewer)

    @router.get("/{id}", responses=told(404), summary="A voice")
    def get(id: Id, studio: TheStudio, who: Who) -> VoiceShape:
        """Own, or for everybody."""
        return shapes.voice(_voice(studio.store, id, who.viewer), who.viewer)

    @router.get(
        "/{id}/audio", responses=CLIP | told(404, 416), response_class=Response, summary="A voice's recording"
    )
    def clip(id: Id, studio: TheStudio, who: Who, download: bool = False) -> Response:
        """As it is used: mono, 24 kHz."""
        voice = _voice(studio.store, id, who.viewer)
        headers = {
            "Cache-Control": "private, no-cache",
            "Content-Disposition": files.disposition(voice.name, ".wav", download=download),
            "ETag": f'"{voice.sha256}"',
        }
        return files.Ranged(studio.store.library.path(voice), "audio/wav", headers)

    @router.delete("/{id}", responses=told(404), summary="Delete a voice")
    def delete(id: Id, studio: TheStudio, who: Who) -> Deleted:
        """One's own. Jobs that wait are still spoken with it."""
        voice = _voice(studio.store, id, who.viewer)
        try:
            studio.store.library.delete(voice.id, who.viewer)
        except NoSuchVoice:
            raise _not_found(id) from None
        return Deleted(id=voice.id, object="voice")

    return router


def _voice(store: Store, id: str, viewer: str | None) -> Voice:
    try:
        return store.library.get(id, viewer)
    except NoSuchVoice:
        raise _not_found(id) from None


def _not_found(id: str) -> ApiError:
    return ApiError(404, f"There is no voice '{id[:100]}' of yours.", param="id", code="voice_not_found")


def _consent(said: str) -> str:
    """The words to be kept. Raises ApiError."""
    words = said.strip()
    if words.casefold() in _NO:
        raise ApiError(
            400,
            "A voice is taken only with the consent of the person whose it is: send consent=true, or words.",
            param="consent",
            code="consent_required",
        )
    return CONSENT if words.casefold() in _YES else words

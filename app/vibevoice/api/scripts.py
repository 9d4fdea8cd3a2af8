"""POST /v1/scripts: what a script will be, for whoever still writes it."""

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from .body import at_most
from .errors import told
from .who import TheStudio


class ScriptRequest(BaseModel):
    """A script."""

    model_config = ConfigDict(strict=True)

    input: str = Field(description="One line for each turn, with who speaks: `Ana: …`, up to four.")


class Look(BaseModel):
    """What it will be."""

    speakers: list[str] = Field(description="Their labels, in order of appearance.")
    seconds: float = Field(description="Expected length of its sound.")
    segments: int


def routes(max_body_size: int) -> APIRouter:
    """The routes below /v1; a body may have so many bytes."""
    router = APIRouter(prefix="/v1", tags=["scripts"], route_class=at_most(max_body_size))

    @router.post("/scripts", responses=told(400, 413), summary="Read a script")
    def read(body: ScriptRequest, studio: TheStudio) -> Look:
        """Speakers and length of a script. An error has the `line` and `column` of the fault."""
        look = studio.desk.look(body.input)
        return Look(speakers=list(look.speakers), seconds=round(look.seconds, 1), segments=look.segments)

    return router

"""What a script is handed in with, and in which terms the document tells of it."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from ..engine.checks import MAX_GUIDANCE
from ..jobs.desk import LONGEST_TITLE, MAX_SEED, MAX_STEPS, MOST_AT_ONCE, Order
from .errors import MANY, ONE

AudioFormat = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]
# Control characters and line breaks; check_text refuses what pydantic cannot see, in the same words.
VISIBLE = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$"
Seed = Annotated[int, Field(ge=0, lt=MAX_SEED)]
_SEED = Field(None, description="The same seed gives the same speech; null: drawn, and told.")
_GUIDANCE = Field(None, description="How strongly the text leads, above 0; null: the checkpoint's own.")
_STEPS = Field(
    None,
    description="Denoising steps for each frame; null: the studio's own. All streams of a studio take the "
    "same: others are refused.",
)
_VOICES = Field(
    default=[],
    description="Ids or names of voices: by the speakers' labels, or a list in order of appearance. Who is "
    "left out gets the model's own choice.",
)


class Spoken(BaseModel):
    """How a script is spoken."""

    model_config = ConfigDict(strict=True)

    voices: dict[str, str] | list[str | None] | None = _VOICES
    seed: Seed | None = _SEED
    guidance: Annotated[float, Field(gt=0, le=MAX_GUIDANCE)] | None = _GUIDANCE
    steps: Annotated[int, Field(ge=1, le=MAX_STEPS)] | None = _STEPS


class JobRequest(Spoken):
    """A script to be spoken."""

    model_config = ConfigDict(strict=True, json_schema_extra={"not": {"required": ["batch"]}})

    input: str = Field(description="One line for each turn, with who speaks: `Ana: …`, up to four.")
    title: str = Field(
        "", max_length=LONGEST_TITLE, pattern=VISIBLE, description="Empty: the script's first words."
    )
    one_take: bool = Field(
        False, description="In one segment: no joins, but no part to be spoken anew either."
    )
    response_format: AudioFormat = Field("mp3", description="What its owner will want to download.")

    def order(self) -> Order:
        """For the desk."""
        return Order(
            script=self.input,
            title=self.title,
            voices=self.voices or (),
            seed=self.seed,
            guidance=self.guidance,
            steps=self.steps,
            one_take=self.one_take,
            format=self.response_format,
        )


class BatchRequest(BaseModel):
    """Several scripts: all are taken, or none."""

    model_config = ConfigDict(strict=True)

    batch: list[JobRequest] = Field(min_length=1, max_length=MOST_AT_ONCE)


def _one_or_many(body: Any) -> str:
    return MANY if isinstance(body, BatchRequest) or (isinstance(body, Mapping) and "batch" in body) else ONE


JobsRequest = Annotated[
    Annotated[JobRequest, Tag(ONE)] | Annotated[BatchRequest, Tag(MANY)], Discriminator(_one_or_many)
]


class TitleRequest(BaseModel):
    """Another title."""

    model_config = ConfigDict(strict=True)

    title: str = Field(min_length=1, max_length=LONGEST_TITLE, pattern=VISIBLE)


class TakeRequest(BaseModel):
    """Another take."""

    model_config = ConfigDict(strict=True)

    seed: Seed | None = Field(None, description="null: another one than before.")

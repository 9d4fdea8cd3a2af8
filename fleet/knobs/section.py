"""What all parts of an inventory have in common."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A part of the inventory: unknown keys are mistakes, and nothing changes after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True)

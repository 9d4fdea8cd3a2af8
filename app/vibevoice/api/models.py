"""GET /v1/models: what clients may name as a request's model."""

import time
from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel

from ..settings import Settings
from .errors import ApiError, told

MODEL = "vibevoice"


class Model(BaseModel):
    """OpenAI's shape."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "vibevoice"


class Models(BaseModel):
    """OpenAI's list."""

    object: Literal["list"] = "list"
    data: list[Model]


def names(settings: Settings) -> list[str]:
    """Of the one model that a studio has."""
    return list(dict.fromkeys((MODEL, settings.model_name)))


def routes(models: list[str]) -> APIRouter:
    """The routes below /v1."""
    router = APIRouter(prefix="/v1/models", tags=["models"])
    created = int(time.time())

    @router.get("", summary="The models")
    async def list_models() -> Models:
        """All are the same one: what it is called here, and `vibevoice`."""
        return Models(data=[Model(id=name, created=created) for name in models])

    @router.get("/{name}", responses=told(404), summary="A model")
    async def get_model(name: Annotated[str, Path(description="One of the models' ids.")]) -> Model:
        """By its id."""
        check_model(name, models)
        return Model(id=name, created=created)

    return router


def check_model(name: str, models: list[str]) -> None:
    """Raises ApiError if there is no such model."""
    if name not in models:
        known = " or ".join(f"'{model}'" for model in models)
        raise ApiError(
            404, f"There is no model '{name[:100]}'; use {known}.", param="model", code="model_not_found"
        )

"""The reference of an inventory's keys, read off the models themselves, so that it cannot be out of date."""

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from fleet.draft import LISTS, SECTIONS, Head
from fleet.plain import model_in, shown

Row = tuple[str, str, str]

REQUIRED = "required"


def rows() -> Iterator[Row]:
    """Key, default, and meaning of everything that an inventory can say."""
    yield from _rows(Head, "")
    for key, model in SECTIONS.items():
        yield from _rows(model, f"{key}.")
    for key, model in LISTS.items():
        yield from _rows(model, f"{key}[].")


def _rows(model: type[BaseModel], prefix: str) -> Iterator[Row]:
    for name, field in model.model_fields.items():
        inner = model_in(field.annotation)
        if inner is not None:
            yield from _rows(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", _default(field), _meaning(field)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return REQUIRED
    if field.default_factory is not None:
        return "derived"
    value = field.default
    if value is None:
        return "none"
    return shown(list(value)) if isinstance(value, tuple) else shown(value)


def _meaning(field: FieldInfo) -> str:
    accepted = _choices(field.annotation)
    return f"{field.description}{f' ({accepted})' if accepted else ''}"


def _choices(annotation: Any) -> str:
    values = get_args(annotation)
    return " | ".join(values) if values and all(isinstance(value, str) for value in values) else ""

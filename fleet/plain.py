"""What pydantic found wrong, in an operator's words."""

import types
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from fleet.mistakes import guess

EXPECTED = {
    "string_type": "must be text in quotes",
    "int_type": "must be a whole number, without quotes",
    "int_from_float": "must be a whole number",
    "bool_type": "must be True or False",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "dict_type": 'must be a group of keys in braces, {"key": …}',
    "model_type": 'must be a group of keys in braces, {"key": …}',
    "model_attributes_type": 'must be a group of keys in braces, {"key": …}',
    "path_type": "must be the path of a file, in quotes",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
}


def sentence(model: type[BaseModel], error: ErrorDetails) -> str:
    """How the sentence goes on after the key's name, for one error in a value of `model`."""
    kind, value = error["type"], shown(error["input"])
    if kind == "extra_forbidden":
        return _unknown(owner(model, error["loc"][:-1]), str(error["loc"][-1]))
    if kind == "missing":
        return _missing(model, error["loc"])
    if kind == "inventory":
        return f"is {value}, which {error.get('ctx', {})['words']}"
    return f"is {value}, but {_expected(error)}."


def shown(value: object) -> str:
    """A value as the inventory has it, shortened."""
    text = f'"{value}"' if isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def owner(model: type[BaseModel], loc: tuple[int | str, ...]) -> type[BaseModel] | None:
    """The model that a location inside `model` belongs to."""
    for step in loc:
        field = model.model_fields.get(str(step))
        inner = model_in(field.annotation) if field else None
        if inner is None:
            return None
        model = inner
    return model


def model_in(annotation: Any) -> type[BaseModel] | None:
    """The model in an annotation such as `Ssh`, `Ssh | None` or `tuple[Node, ...]`, if any."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Union, types.UnionType, tuple):
        return next(filter(None, map(model_in, get_args(annotation))), None)
    return None


def _unknown(model: type[BaseModel] | None, key: str) -> str:
    known = sorted(model.model_fields) if model else []
    hint = guess(key, known, f"Known are {', '.join(known)}.")
    return f"is not a key that exists here. {hint}"


def _missing(model: type[BaseModel], loc: tuple[int | str, ...]) -> str:
    parent, key = owner(model, loc[:-1]), str(loc[-1])
    field = parent.model_fields.get(key) if parent else None
    meaning = field.description if field else None
    return f"is missing. It says: {meaning}." if meaning else "is missing."


def _expected(error: ErrorDetails) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "greater_than_equal":
        return f"must be at least {context['ge']}"
    if kind == "less_than_equal":
        return f"must be at most {context['le']}"
    if kind == "literal_error":
        return f"must be {str(context['expected']).replace(chr(39), '')}"
    return EXPECTED.get(kind, error["msg"][0].lower() + error["msg"][1:])

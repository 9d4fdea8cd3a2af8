"""Reads JSON that somebody wrote: every value has a kind, every mistake a place. Pure."""

import json
import math
import re
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")
Kind = Callable[[Any, str], T]
# A site has kilobytes; more is a mistake, and must not hold up the requests that wait for it.
LONGEST = 4 * 1024 * 1024
REQUIRED: Any = object()


class ConfigError(Exception):
    """The configuration cannot be right; the message says where and why."""


def fail(where: str, words: str) -> NoReturn:
    raise ConfigError(f"{where or 'the file'}: {words}")


class Shape:
    """A JSON object of which each key is taken once; `end` refuses those that nobody took.

    Args:
        value: what ought to be an object.
        where: its place, such as "projects[0]"; empty for the whole file.
    """

    def __init__(self, value: Any, where: str) -> None:
        if not isinstance(value, dict):
            fail(where, f"should be an object with named values, not {shown(value)}")
        self._left, self._where = dict(value), where

    def take(self, key: str, kind: Kind[T], default: Any = REQUIRED) -> T:
        """The value of `key`, as `kind` reads it; `default` where it is missing."""
        where = self.at(key)
        if key in self._left:
            return kind(self._left.pop(key), where)
        if default is REQUIRED:
            fail(where, "is missing")
        return default

    def at(self, key: str) -> str:
        return f"{self._where}.{key}" if self._where else key

    def end(self) -> None:
        for key in self._left:
            fail(self.at(shown(key)), "is not known here")


def read(raw: bytes) -> Any:
    """What `raw` says in JSON. Raises ConfigError: for doubled keys and NaN too, and too much of anything."""
    if len(raw) > LONGEST:
        fail("", f"has {len(raw)} bytes, more than the {LONGEST} that are read")
    try:
        return json.loads(raw.decode(), object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"the file is not JSON: {error}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def shown(value: Any) -> str:
    """A value for a message: short, printable ASCII, and never the inside of something large."""
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    words = json.dumps(value) if isinstance(value, str) else str(value)
    return words if len(words) <= 60 else words[:57] + "..."


def text(pattern: str = r"[^\x00-\x1f\x7f]+", called: str = "text", secret: bool = False) -> Kind[str]:
    """A string of at most 1,000 characters, all of it as `pattern` says; `called` is what it should be."""
    compiled = re.compile(pattern)

    def kind(value: Any, where: str) -> str:
        right = isinstance(value, str) and len(value) <= 1000 and compiled.fullmatch(value)
        # Half a surrogate pair is valid JSON and no valid text: it cannot be sent or stored.
        if not right or any("\ud800" <= character <= "\udfff" for character in value):
            fail(where, f"should be {called}" + ("" if secret else f", not {shown(value)}"))
        return value

    return kind


def whole(least: int, most: int) -> Kind[int]:
    """A whole number from `least` to `most`."""

    def kind(value: Any, where: str) -> int:
        if type(value) is not int or not least <= value <= most:
            fail(where, f"should be a whole number from {least} to {most}, not {shown(value)}")
        return value

    return kind


def number(most: float) -> Kind[float]:
    """A number greater than 0 and at most `most`."""

    def kind(value: Any, where: str) -> float:
        if type(value) not in (int, float) or not math.isfinite(value) or not 0 < value <= most:
            fail(where, f"should be a number above 0, at most {most:g}, not {shown(value)}")
        return value

    return kind


def maybe(inner: Kind[T]) -> Kind[T | None]:
    """What `inner` reads, or null."""
    return lambda value, where: None if value is None else inner(value, where)


def several(inner: Kind[T]) -> Kind[tuple[T, ...]]:
    """A list of what `inner` reads, nothing of it twice."""

    def kind(value: Any, where: str) -> tuple[T, ...]:
        if not isinstance(value, list):
            fail(where, f"should be a list, not {shown(value)}")
        found = tuple(inner(item, f"{where}[{n}]") for n, item in enumerate(value))
        if len(set(found)) < len(found):
            fail(where, "has something twice")
        return found

    return kind

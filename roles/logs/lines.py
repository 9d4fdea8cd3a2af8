"""Lines of many containers' logs as one, in the order in which they were written. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

# Said on their own; `logger` says nothing that the message does not.
_APART = ("time", "level", "message", "msg", "logger", "exception")


@dataclass(frozen=True)
class Line:
    """A line: Docker's time of it (UTC), where, and what it says.

    Args:
        level: empty where the program says none.
        exception: a traceback, of several lines.
        fields: what else it says, such as job and user.
    """

    time: str
    host: str
    container: str
    level: str
    message: str
    exception: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """The line for people."""
        moment = self.time[:23].replace("T", " ")
        fields = {} if "RequestPath" in self.fields else self.fields
        said = [self.message or _request(self.fields), *(f"{name}={value}" for name, value in fields.items())]
        first = (
            f"{moment}  {self.host}  {self.container.removeprefix('vv-')}  {self.level:7}  {' '.join(said)}"
        )
        return "\n".join([first, *(f"    {line}" for line in self.exception.splitlines())])

    @property
    def row(self) -> dict[str, Any]:
        """The line for programs; a field never hides where the line is from."""
        own = {"time": self.time, "host": self.host, "container": self.container, "level": self.level}
        exception = {"exception": self.exception} if self.exception else {}
        return {**self.fields, **own, "message": self.message, **exception}


def parse(host: str, printed: Iterable[str]) -> list[Line]:
    """What the script printed on a host: container, Docker's time, and the line."""
    return [_line(host, *words) for line in printed if len(words := line.split(" ", 2)) == 3]


def merge(logs: Iterable[Iterable[Line]], most: int) -> tuple[list[Line], bool]:
    """The newest lines of all, the oldest first, and whether there may be more."""
    merged = sorted((line for log in logs for line in log), key=lambda line: line.time)
    return merged[-most:], len(merged) >= most


def _request(fields: Mapping[str, Any]) -> str:
    """A request in Traefik's access log, which has forty fields and no message."""
    if "RequestPath" not in fields:
        return ""
    said = (fields.get(name) for name in ("RequestMethod", "RequestPath", "DownstreamStatus"))
    # Go's durations count nanoseconds.
    took = f"{float(fields.get('Duration') or 0) / 1e6:.0f} ms"
    ends = (fields.get("ClientHost"), fields.get("ServiceURL") or fields.get("RouterName") or "-")
    return " ".join(map(str, (*said, took, "from", ends[0], "to", ends[1])))


def _line(host: str, container: str, time: str, text: str) -> Line:
    try:
        said = json.loads(text)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        return Line(time, host, container, "", text)
    return Line(
        time=time,
        host=host,
        container=container,
        level=str(said.get("level") or ""),
        message=str(said.get("message") or said.get("msg") or ""),
        exception=str(said.get("exception") or ""),
        fields={name: value for name, value in said.items() if name not in _APART},
    )

"""What becomes of an engine and its streams, for whoever listens."""

from dataclasses import dataclass
from typing import Literal

from .generation import Speech
from .stream import Stream

State = Literal["loading", "waiting", "ready", "restarting", "asleep", "closed", "failed"]
TAKES: tuple[State, ...] = ("waiting", "ready", "restarting")
"""Those in which an engine takes scripts."""


@dataclass(frozen=True)
class Event:
    """The engine changed its state or died, or a stream was submitted, began or ended."""

    kind: Literal["state", "died", "submitted", "started", "finished"]
    stream: Stream | None = None
    speech: Speech | None = None
    error: BaseException | None = None

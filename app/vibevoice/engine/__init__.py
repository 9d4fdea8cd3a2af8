"""Speech from scripts; knows no HTTP. Importing this imports no torch: only the engine's process does."""

from .client import Engine
from .events import TAKES, Event, State
from .generation import (
    Cancelled,
    CheckpointError,
    EngineError,
    Generation,
    NotReady,
    Prefix,
    QueueFull,
    Refused,
    Saved,
    Speech,
    TooLong,
)
from .setup import Capacity, Setup
from .stream import Stream, Suspended
from .supervisor import Patience

__all__ = [
    "TAKES",
    "Cancelled",
    "Capacity",
    "CheckpointError",
    "Engine",
    "EngineError",
    "Event",
    "Generation",
    "NotReady",
    "Patience",
    "Prefix",
    "QueueFull",
    "Refused",
    "Saved",
    "Setup",
    "Speech",
    "State",
    "Stream",
    "Suspended",
    "TooLong",
]

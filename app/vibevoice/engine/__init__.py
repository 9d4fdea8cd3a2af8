"""Speech from scripts; knows no HTTP. Importing this imports no torch: the engine's thread does."""

from .generation import Cancelled, EngineError, Generation, NotReady, QueueFull, Speech, Stream, TooLong
from .worker import Engine, Event, State

__all__ = [
    "Cancelled",
    "Engine",
    "EngineError",
    "Event",
    "Generation",
    "NotReady",
    "QueueFull",
    "Speech",
    "State",
    "Stream",
    "TooLong",
]

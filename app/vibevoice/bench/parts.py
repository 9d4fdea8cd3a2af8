"""Where a frame's time goes, by part of the model.

On a CPU each part is timed where the step calls it. On CUDA the step is one graph, in which nothing can be
timed; so each part's call is noted in a step without a graph, captured as a graph of its own, and replayed.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

import torch

from ..engine.batch import Batch
from ..engine.graphs import capture

# What the step calls, by its place in engine.parts.Parts.
CALLS = {
    "language model": "language.step",
    "diffusion head": "head",
    "acoustic decoder": "decode",
    "semantic encoder": "listener",
    "connectors": "join",
}
REST = "rest"
REPLAYS = 20

Call = Callable[[], Any]


def part_ms(batch: Batch, frames: int) -> dict[str, float]:
    """Milliseconds of each part for a frame of all streams that are running; the rest is the step's.

    Medians of `frames` frames; each part is called once in a frame.
    """
    if batch.parts.device.type == "cuda":
        return _replayed(batch)
    taken: dict[str, list[float]] = {name: [] for name in (*CALLS, REST)}

    def timed(name: str, call: Call) -> Any:
        began = time.perf_counter()
        result = call()
        taken[name].append((time.perf_counter() - began) * 1000)
        return result

    with _watched(batch, timed):
        for _ in range(frames):
            began = time.perf_counter()
            batch.step()
            whole = (time.perf_counter() - began) * 1000
            taken[REST].append(whole - sum(taken[name][-1] for name in CALLS))
    return {name: median(each) for name, each in taken.items()}


@torch.inference_mode()
def _replayed(batch: Batch) -> dict[str, float]:
    calls: dict[str, Call] = {}

    def noted(name: str, call: Call) -> Any:
        calls[name] = call
        return call()

    count = next(bucket for bucket in batch._buckets if bucket >= batch.running)
    bound = batch._bounds[0]
    with _watched(batch, noted):
        batch._state.advance(count, bound)
    taken = {name: _graph_ms(capture(calls[name]).replay) for name in CALLS}
    whole = _graph_ms(lambda: batch._advance(count, bound))
    return {**taken, REST: whole - sum(taken.values())}


def _graph_ms(replay: Call) -> float:
    replay()
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    for _ in range(REPLAYS):
        replay()
    end.record()
    end.synchronize()
    return begin.elapsed_time(end) / REPLAYS


class _Watched:
    """A part of which each call is told of first; for everything else it is the part itself."""

    def __init__(self, part: Any, told: Callable[[Call], Any]) -> None:
        self._part, self._told = part, told

    def __call__(self, *args: Any) -> Any:
        return self._told(lambda: self._part(*args))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._part, name)


@contextmanager
def _watched(batch: Batch, told: Callable[[str, Call], Any]) -> Iterator[None]:
    """Let `told` make each call of a part, as it is given it with the part's name."""
    kept: list[tuple[Any, str, Any, bool]] = []

    def put(name: str, path: str) -> None:
        *owners, last = path.split(".")
        owner: Any = batch.parts
        for attribute in owners:
            owner = getattr(owner, attribute)
        part = getattr(owner, last)
        kept.append((owner, last, part, last in vars(owner)))
        setattr(owner, last, _Watched(part, lambda call: told(name, call)))

    for name, path in CALLS.items():
        put(name, path)
    try:
        yield
    finally:
        for owner, last, part, own in kept:
            if own:
                setattr(owner, last, part)
            else:
                delattr(owner, last)

"""CUDA graphs of the frame step: thousands of launches become one.

A graph is of a number of slots and a bound on their length, by which attention divides its work. All are
captured before anybody speaks: a capture in the middle would be heard as a pause.
"""

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from .frame import Slots

log = logging.getLogger(__name__)


def slot_buckets(count: int) -> tuple[int, ...]:
    """Powers of two, and the count itself."""
    return tuple(sorted({2**power for power in range(count.bit_length()) if 2**power <= count} | {count}))


def length_buckets(context: int) -> tuple[int, ...]:
    """Bounds on length: four times the one before, and the context itself."""
    return (*(bound for bound in (2048, 8192, 32768) if bound < context), context)


class Graphs:
    """The step of some slots, replayed instead of launched."""

    def __init__(self, slots: Slots, counts: tuple[int, ...], bounds: tuple[int, ...]) -> None:
        self._graphs: dict[tuple[int, int], torch.cuda.CUDAGraph] = {}
        began = time.monotonic()
        pool = None
        # The largest first: the others then find its memory in the pool.
        for bound in sorted(bounds, reverse=True):
            for count in sorted(counts, reverse=True):
                graph = capture(partial(slots.advance, count, bound), pool)
                pool = pool or graph.pool()
                self._graphs[count, bound] = graph
        log.info("Captured %d CUDA graphs in %.1f s", len(self._graphs), time.monotonic() - began)

    def __call__(self, count: int, bound: int) -> None:
        """One step of the first `count` slots, none longer than `bound`; both among those captured."""
        self._graphs[count, bound].replay()


def capture(work: Callable[[], object], pool: Any = None) -> torch.cuda.CUDAGraph:
    """What `work` launches, as a graph. What it returns is memory of the graph, which replays write to."""
    # Libraries initialise themselves and choose their kernels in the first calls, which no graph may hold.
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(2):
            work()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, pool=pool):
        work()
    return graph

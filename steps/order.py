"""The order of operations over all hosts: that of the lines of deploy.py."""

from __future__ import annotations

from graphlib import TopologicalSorter
from heapq import heappop, heappush

from pyinfra.api.state import State

_by_levels = State.get_op_order


def follow_the_file() -> None:
    """Have pyinfra finish a line of deploy.py on all its hosts before the next line begins.

    Left alone it takes the first operation of every host, then the second of every host, and so on: where
    hosts have different roles, the gateway's last line runs while the GPU hosts are at their first.
    """
    State.get_op_order = _by_lines  # type: ignore[method-assign]


def _by_lines(state: State) -> list[str]:
    """Of the operations whose predecessors on each host are done, always the topmost."""
    _by_levels(state)  # reports a cycle in pyinfra's own words
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for host in state.inventory:
        for before, operation in zip([None, *host.op_hash_order], host.op_hash_order, strict=False):
            sorter.add(operation, *([before] if before else []))
    sorter.prepare()
    ready: list[tuple[tuple[int, ...], str]] = []
    order: list[str] = []
    while sorter.is_active():
        for operation in sorter.get_ready():
            heappush(ready, (tuple(state.op_meta[operation].op_order), operation))
        _, first = heappop(ready)
        order.append(first)
        sorter.done(first)
    return order

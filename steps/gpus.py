"""GPUs of a node, in PCI order: a slot is a place in this list."""

from __future__ import annotations

from collections.abc import Iterable

QUERY = "nvidia-smi --query-gpu=pci.bus_id,uuid --format=csv,noheader"


def uuids(rows: Iterable[str]) -> tuple[str, ...]:
    """UUIDs in PCI order, from the rows of `QUERY`; nvidia-smi itself promises no order."""
    found = sorted(tuple(row.strip().split(", ", 1)) for row in rows if ", GPU-" in row)
    return tuple(uuid for _, uuid in found)

"""What the lab's hosts answered drift's question, right after a deploy; see captured/drift."""

from __future__ import annotations

import json
from pathlib import Path

from roles.drift.question import sections

CAPTURED = Path(__file__).parent / "captured" / "drift"


def parts(host: str) -> dict[str, list[str]]:
    """The parts of a host's answer, a copy for each caller."""
    return sections((CAPTURED / f"{host}.txt").read_text().splitlines())


def arguments(container: str) -> list[str]:
    """`docker create …` of a container of gpu-1, as the deploy called it."""
    return json.loads((CAPTURED / "arguments.json").read_text())[container]

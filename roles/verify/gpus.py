"""Whether each studio sees exactly its own GPU. Pure, but for the question's shell."""

from __future__ import annotations

import re
from collections.abc import Iterable

from fleet import names
from steps.gpus import QUERY, uuids


def question(site: str) -> str:
    """Shell that prints the node's GPUs and, for each running studio, its slot and the GPUs it sees."""
    mine = names.studios_filter(site)
    # All at once: starting a process in a container takes longer than what it prints.
    return (
        f"{QUERY} | sed 's/^/gpu /'; "
        f"docker ps {mine} --format '{{{{.Names}}}} {{{{.Label \"vibevoice.slot\"}}}}' | {{ "
        'while read -r name slot; do (echo "studio $name $slot"; docker exec "$name" nvidia-smi -L 2>&1 '
        '| sed "s/^/sees $name /") < /dev/null & done; wait; }'
    )


def wrong(lines: Iterable[str], expected: int) -> list[str]:
    """What is wrong, a sentence each.

    Args:
        expected: how many studios the node shall have.
    """
    lines = list(lines)
    gpus = uuids(line.removeprefix("gpu ") for line in lines if line.startswith("gpu "))
    slots = dict(line.split()[1:3] for line in lines if line.startswith("studio "))
    sees: dict[str, list[str]] = {name: [] for name in slots}
    for line in lines:
        if line.startswith("sees "):
            _, name, rest = line.split(" ", 2)
            sees.setdefault(name, []).append(rest)
    sentences = [_studio(name, sees[name], gpus, int(slot)) for name, slot in sorted(slots.items())]
    if len(slots) != expected:
        sentences.append(f"{len(slots)} studios run, {expected} are declared. See docker ps -a.")
    return [sentence for sentence in sentences if sentence]


def _studio(name: str, seen: list[str], gpus: tuple[str, ...], slot: int) -> str:
    if slot >= len(gpus):
        return f"{name} is on slot {slot}, but there are {len(gpus)} GPUs."
    found = [match[1] for line in seen if (match := re.search(r"UUID: (GPU-[^)]+)\)", line))]
    if found == [gpus[slot]]:
        return ""
    said = "; ".join(seen) or "nothing"
    return f"{name} shall see {gpus[slot]} and nothing else, but its nvidia-smi -L says: {said}"

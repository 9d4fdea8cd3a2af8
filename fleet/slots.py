"""Which project gets which GPUs of a node. A slot is a GPU's place in PCI order, counted from 0."""

from collections.abc import Mapping, Sequence

from fleet.models import Project


class NoRoom(ValueError):
    """The projects want GPUs that the node does not have."""


def assign(gpus: int, projects: Sequence[Project], running: Mapping[int, str]) -> dict[str, tuple[int, ...]]:
    """Slots of every project on one node, ascending.

    Slots a project names are its own. Every other project keeps the slots its containers run on, the
    lowest of them when it has shrunk, and takes the lowest free ones when it needs more. The order of
    `projects` does not matter.

    gpus: how many the node has. projects: those it shall hold. running: slot to project, as found.
    Raises NoRoom when they do not fit, which a validated site rules out.
    """
    pinned = {project.name: project.slots for project in projects if project.slots}
    floating = sorted((p for p in projects if not p.slots), key=lambda project: project.name)
    free = _without(range(gpus), pinned)

    kept = {project.name: _kept(project, running, free) for project in floating}
    free -= {slot for slots in kept.values() for slot in slots}

    taken: dict[str, tuple[int, ...]] = {name: tuple(sorted(slots)) for name, slots in pinned.items()}
    for project in floating:
        own = kept[project.name]
        new = sorted(free)[: project.gpus - len(own)]
        if len(own) + len(new) < project.gpus:
            raise NoRoom(f"{project.name} wants {project.gpus} GPUs, {len(own) + len(new)} are left")
        free -= set(new)
        taken[project.name] = tuple(sorted([*own, *new]))
    return taken


def _without(slots: range, pinned: Mapping[str, tuple[int, ...]]) -> set[int]:
    free = set(slots)
    for name, wanted in pinned.items():
        if not free.issuperset(wanted):
            raise NoRoom(f"{name} names slots {sorted(set(wanted) - free)}, which are not free here")
        free -= set(wanted)
    return free


def _kept(project: Project, running: Mapping[int, str], free: set[int]) -> list[int]:
    own = sorted(slot for slot, name in running.items() if name == project.name and slot in free)
    return own[: project.gpus]

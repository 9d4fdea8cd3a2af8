"""From what a node holds to what it shall hold: which containers go, start, come. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fleet import Project, slots
from roles.studios.observe import Found, Observed
from roles.studios.spec import Studio


@dataclass(frozen=True)
class Replacement:
    """One studio takes another's slot."""

    old: Found
    new: Studio


@dataclass(frozen=True)
class Plan:
    """What has to happen on a node, in this order.

    Args:
        remove: containers that belong to no slot of their project any more.
        forget: projects whose network goes.
        connect: projects whose network comes.
        pull: the image has to be there before anything is stopped.
        start: names of containers that are as they should be, but stopped.
        create: studios on free slots.
        replace: studios on slots whose container has another specification; one after the other.
    """

    remove: tuple[Found, ...] = ()
    forget: tuple[str, ...] = ()
    connect: tuple[str, ...] = ()
    pull: str = ""
    start: tuple[Studio, ...] = ()
    create: tuple[Studio, ...] = ()
    replace: tuple[Replacement, ...] = ()

    def __bool__(self) -> bool:
        return any(vars(self).values())


def occupied(containers: Sequence[Found]) -> dict[int, Found]:
    """The container that holds each slot: where there are two, the running one, then the younger."""
    order = sorted(containers, key=lambda found: (found.running, found.created))
    return {found.slot: found for found in order}


def assigned(gpus: int, projects: Sequence[Project], observed: Observed) -> dict[str, tuple[int, ...]]:
    """Slots of every project; a container keeps its slot, whether it runs at this moment or not."""
    running = {slot: found.project for slot, found in occupied(observed.containers).items()}
    return slots.assign(gpus, projects, running)


def plan(wanted: Mapping[int, Studio], projects: Sequence[str], observed: Observed) -> Plan:
    """What makes the node hold exactly the wanted studios.

    Args:
        wanted: the studio of every used slot.
        projects: names of those this node holds.
    """
    holders = {
        slot: found
        for slot, found in occupied(observed.containers).items()
        if slot in wanted and wanted[slot].project == found.project
    }
    kept = {slot for slot, found in holders.items() if found.spec == wanted[slot].spec}
    create = tuple(studio for slot, studio in sorted(wanted.items()) if slot not in holders)
    replace = tuple(
        Replacement(holders[slot], studio)
        for slot, studio in sorted(wanted.items())
        if slot in holders and slot not in kept
    )
    new = [*create, *(replacement.new for replacement in replace)]
    return Plan(
        remove=tuple(found for found in observed.containers if found not in holders.values()),
        forget=tuple(sorted(observed.networks - set(projects))),
        connect=tuple(sorted(set(projects) - observed.networks)),
        pull=new[0].image if new else "",
        start=tuple(wanted[slot] for slot in sorted(kept) if not holders[slot].running),
        create=create,
        replace=replace,
    )

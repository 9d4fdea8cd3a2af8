"""From what a node holds to what it shall hold: which containers go, start, come. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fleet import Project, slots
from roles.studios.observe import Found, Observed
from roles.studios.spec import Studio


@dataclass(frozen=True)
class Replacement:
    """One studio takes another's slot; it may stand beside it already, from a deploy that was cut off."""

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


def best(containers: Sequence[Found]) -> Found | None:
    """Of several on one slot the one that serves: running, alive, the youngest; None of none.

    The younger of two that run is one that a cut-off deploy has put in the other's place.
    """
    order = sorted(containers, key=lambda found: (found.running, found.healthy, found.created))
    return order[-1] if order else None


def occupied(containers: Sequence[Found]) -> dict[int, Found]:
    """The container that holds each slot."""
    slots_ = {found.slot for found in containers}
    holders = {slot: best([found for found in containers if found.slot == slot]) for slot in slots_}
    return {slot: found for slot, found in holders.items() if found is not None}


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
    start, create, replace, stay = [], [], [], []
    for slot, studio in sorted(wanted.items()):
        here = [one for one in observed.containers if (one.slot, one.project) == (slot, studio.project)]
        new = best([one for one in here if one.spec == studio.spec])
        old = best([one for one in here if one.spec != studio.spec])
        stay += [one for one in (new, old) if one]
        if new is None and old is None:
            create.append(studio)
        elif old and (new is None or old.running):
            # Where both run, a deploy was cut off between the two.
            replace.append(Replacement(old, studio))
        elif new:
            stay = [one for one in stay if one is not old]
            if not new.running:
                start.append(studio)
    pulled = [*create, *(replacement.new for replacement in replace)]
    return Plan(
        remove=tuple(found for found in observed.containers if found not in stay),
        forget=tuple(sorted(observed.networks - set(projects))),
        connect=tuple(sorted(set(projects) - observed.networks)),
        pull=pulled[0].image if pulled else "",
        start=tuple(start),
        create=tuple(create),
        replace=tuple(replace),
    )

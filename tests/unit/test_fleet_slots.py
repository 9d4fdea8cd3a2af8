"""Promises of the placement: who gets which GPU of a node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet import Project
from fleet.slots import NoRoom, assign

NAMES = ["alfa", "bravo", "charlie", "delta", "echo", "foxtrot"]


@dataclass(frozen=True)
class Node:
    """A node, what it shall hold, and what runs on it, perhaps of projects that are gone."""

    gpus: int
    projects: list[Project]
    running: Mapping[int, str]


def project(name: str, gpus: int | None = None, slots: list[int] | None = None) -> Project:
    size = {"slots": slots} if slots else {"gpus": gpus}
    return Project.model_validate({"name": name, "node": "gpu-1", "model": "tiny", "users": ["ana"], **size})


@st.composite
def nodes(draw: st.DrawFn) -> Node:
    """Any node whose projects fit, over any earlier state of it."""
    gpus = draw(st.integers(1, 8))
    free = draw(st.permutations(range(gpus)))
    projects: list[Project] = []
    for name in draw(st.permutations(NAMES)):
        if not free or draw(st.booleans()):
            continue
        size = draw(st.integers(1, len(free)))
        pinned = draw(st.booleans())
        projects.append(project(name, slots=list(free[:size])) if pinned else project(name, gpus=size))
        free = free[size:]
    slots = st.integers(0, gpus + 2)
    running = draw(st.dictionaries(slots, st.sampled_from([*NAMES, "gone"]), max_size=gpus))
    return Node(gpus, projects, running)


@given(nodes())
def test_no_two_containers_share_a_gpu(node: Node) -> None:
    slots = [slot for own in assign(node.gpus, node.projects, node.running).values() for slot in own]
    assert len(slots) == len(set(slots))
    assert set(slots) <= set(range(node.gpus))


@given(nodes())
def test_every_project_gets_as_many_gpus_as_it_asks_for(node: Node) -> None:
    placed = assign(node.gpus, node.projects, node.running)
    assert {name: len(slots) for name, slots in placed.items()} == {p.name: p.gpus for p in node.projects}


@given(nodes())
def test_named_slots_are_given_exactly(node: Node) -> None:
    placed = assign(node.gpus, node.projects, node.running)
    for one in node.projects:
        if one.slots:
            assert placed[one.name] == tuple(sorted(one.slots))


@given(nodes())
def test_a_running_project_never_moves_to_another_gpu(node: Node) -> None:
    """Unless a slot is named for somebody else, or it shrank: then the lowest are kept."""
    placed = assign(node.gpus, node.projects, node.running)
    named = {slot for one in node.projects for slot in one.slots}
    for one in node.projects:
        if one.slots:
            continue
        own = {slot for slot, name in node.running.items() if name == one.name and slot < node.gpus} - named
        assert set(sorted(own)[: one.gpus]) <= set(placed[one.name])


@given(nodes())
def test_a_new_container_takes_the_lowest_free_slot(node: Node) -> None:
    """No free slot lies below one that was newly given, except where somebody running keeps his."""
    placed = assign(node.gpus, node.projects, node.running)
    free = set(range(node.gpus)) - {slot for own in placed.values() for slot in own}
    for one in node.projects:
        if not one.slots:
            new = [slot for slot in placed[one.name] if node.running.get(slot) != one.name]
            assert all(slot < other for slot in new for other in free)


@given(nodes())
def test_a_second_look_changes_nothing(node: Node) -> None:
    placed = assign(node.gpus, node.projects, node.running)
    running = {slot: name for name, slots in placed.items() for slot in slots}
    assert assign(node.gpus, node.projects, running) == placed


@given(nodes(), st.randoms())
def test_the_order_of_the_inventory_does_not_matter(node: Node, random: Random) -> None:
    shuffled = list(node.projects)
    random.shuffle(shuffled)
    assert assign(node.gpus, shuffled, node.running) == assign(node.gpus, node.projects, node.running)


@given(nodes())
def test_another_project_leaves_the_others_where_they_are(node: Node) -> None:
    placed = assign(node.gpus, node.projects, node.running)
    running = {slot: name for name, slots in placed.items() for slot in slots}
    if len(running) == node.gpus:
        return
    after = assign(node.gpus, [*node.projects, project("zulu", gpus=1)], running)
    assert {name: after[name] for name in placed} == placed


def test_a_shrunk_project_keeps_its_lowest_slots() -> None:
    assert assign(4, [project("podcast", gpus=1)], {1: "podcast", 3: "podcast"}) == {"podcast": (1,)}


def test_a_slot_of_a_removed_project_is_free_again() -> None:
    assert assign(2, [project("podcast", gpus=2)], {0: "gone", 1: "podcast"}) == {"podcast": (0, 1)}


def test_a_named_slot_drives_out_who_runs_there() -> None:
    projects = [project("podcast", gpus=1), project("debate", slots=[0])]
    assert assign(2, projects, {0: "podcast"}) == {"podcast": (1,), "debate": (0,)}


@pytest.mark.parametrize(
    "projects",
    [
        [project("podcast", gpus=3)],
        [project("podcast", gpus=1), project("debate", gpus=2)],
        [project("podcast", slots=[2])],
        [project("podcast", slots=[0]), project("debate", slots=[0, 1])],
    ],
)
def test_what_does_not_fit_is_refused(projects: list[Project]) -> None:
    with pytest.raises(NoRoom):
        assign(2, projects, {})

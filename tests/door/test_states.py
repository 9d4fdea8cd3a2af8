"""Whether a studio runs is what its node says, asked rarely and not for long."""

import asyncio
import time

import pytest
from door.config import Limits, Project
from door.states import States
from nodes import Node


def on(node_url: str, name: str = "podcast") -> Project:
    return Project(name, frozenset(), frozenset(), node_url, Limits(100, 32, 1000))


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (200, "running"),
        (503, "starting"),
        (404, "stopped"),
        (500, "stopped"),
        (502, "stopped"),
        (302, "stopped"),
    ],
)
def test_the_nodes_status_is_the_state(status: int, state: str) -> None:
    with Node({"podcast": status}) as node:
        assert asyncio.run(States().state(on(node.url))) == state
        assert node.asked == ["/vibevoice/podcast/health/live"]


def test_a_node_that_is_not_there_has_stopped_studios() -> None:
    assert asyncio.run(States().state(on("http://127.0.0.1:9"))) == "stopped"


def test_a_node_that_says_nothing_has_stopped_studios() -> None:
    with Node({"podcast": 0}) as node:
        assert asyncio.run(States().state(on(node.url))) == "stopped"


def test_nobody_waits_for_a_slow_node_longer_than_a_second() -> None:
    with Node({"podcast": 200}, delay_s=3) as node:
        began = time.monotonic()
        assert asyncio.run(States().state(on(node.url))) == "stopped"
        assert 0.9 < time.monotonic() - began < 2


def test_all_who_ask_at_once_share_one_question() -> None:
    async def ask(states: States, project: Project) -> list[str]:
        return await asyncio.gather(*(states.state(project) for _ in range(50)))

    with Node({"podcast": 200}, delay_s=0.2) as node:
        assert asyncio.run(ask(States(), on(node.url))) == ["running"] * 50
        assert len(node.asked) == 1


def test_an_answer_is_good_for_two_seconds() -> None:
    now = 100.0

    async def ask(node: Node) -> list[str]:
        nonlocal now
        states, found = States(clock=lambda: now), []
        for moment, status in ((100.0, 200), (101.9, 503), (102.0, 503), (103.9, 200)):
            now = moment
            node.states["podcast"] = status
            found.append(await states.state(on(node.url)))
        return found

    with Node({}) as node:
        assert asyncio.run(ask(node)) == ["running", "running", "starting", "starting"]


def test_several_projects_are_asked_about_at_the_same_time() -> None:
    with Node({"a": 200, "b": 503, "c": 404}, delay_s=0.4) as node:
        began = time.monotonic()
        found = asyncio.run(States().of([on(node.url, name) for name in "abc"]))
        assert found == {"a": "running", "b": "starting", "c": "stopped"}
        assert time.monotonic() - began < 1


def test_whoever_gives_up_takes_the_answer_from_nobody() -> None:
    async def ask(states: States, project: Project) -> str:
        impatient = asyncio.create_task(states.state(project))
        patient = asyncio.create_task(states.state(project))
        await asyncio.sleep(0.05)
        impatient.cancel()
        return await patient

    with Node({"podcast": 200}, delay_s=0.2) as node:
        assert asyncio.run(ask(States(), on(node.url))) == "running"

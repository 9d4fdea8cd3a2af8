"""Whether a project's studios run, as its node says."""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Literal

import httpx

from .config import Project

State = Literal["running", "starting", "stopped"]
TIMEOUT_S = 1
CACHED_S = 2


class States:
    """Asks the nodes, once for all who want to know within two seconds. `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[Project, tuple[float, State]] = {}
        self._asking: dict[Project, asyncio.Task[State]] = {}

    async def of(self, projects: Iterable[Project]) -> dict[str, State]:
        """The states of projects, by name; as fast as the slowest node, at most a second."""
        wanted = list(projects)
        found = await asyncio.gather(*map(self.state, wanted))
        return {project.name: state for project, state in zip(wanted, found, strict=True)}

    async def state(self, project: Project) -> State:
        """200 from the studio: running; 503: starting; anything else or nothing: stopped."""
        asked, state = self._known.get(project, (float("-inf"), "stopped"))
        if self._clock() - asked < CACHED_S:
            return state
        task = self._asking.get(project)
        # A task of another event loop (there is one in a service) would never end here.
        if task is None or task.get_loop() is not asyncio.get_running_loop():
            task = self._asking[project] = asyncio.create_task(self._ask(project))
            task.add_done_callback(lambda _: self._asking.pop(project, None))
        # Who gives up waiting must not take the answer from the others.
        return await asyncio.shield(task)

    async def _ask(self, project: Project) -> State:
        state = await _asked(f"{project.node_url}/vibevoice/{project.name}/health/live")
        # Projects of configurations gone by.
        self._known = {known: found for known, found in self._known.items() if found[0] > self._clock() - 60}
        self._known[project] = (self._clock(), state)
        return state


async def _asked(url: str) -> State:
    try:
        async with (
            asyncio.timeout(TIMEOUT_S),
            # The private network carries no TLS; loading the authorities would take 20 ms each time.
            httpx.AsyncClient(
                verify=not url.startswith("http://"), timeout=TIMEOUT_S, trust_env=False
            ) as client,
            # The status is all that counts, however long the answer.
            client.stream("GET", url) as answer,
        ):
            status = answer.status_code
    except (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError):
        return "stopped"
    return "running" if status == 200 else "starting" if status == 503 else "stopped"

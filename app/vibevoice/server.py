"""The web server, and how it stops: SIGTERM drains the studio, then the process ends with 0."""

import asyncio
import logging
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from .studio import Studio

log = logging.getLogger(__name__)
# Longer than the proxy keeps an idle connection (Go: 90 s): it must be the one to close, or a request
# that it sends at that moment is lost.
KEEP_ALIVE_S = 120
# For the last bytes of running responses; who listens to a job that goes on elsewhere would hold on for long.
LINGER_S = 3
# How often it is asked whether the studio can go on, if it says nothing by itself.
LOOK_S = 10


class Server(uvicorn.Server):
    """Uvicorn that drains the studio on the first signal and hurries on the second."""

    def __init__(self, app: ASGIApp, studio: Studio) -> None:
        settings = studio.settings
        super().__init__(
            uvicorn.Config(
                app,
                host=settings.host,
                port=settings.port,
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=LINGER_S,
            )
        )
        self.studio = studio
        self._stopping: asyncio.Task[None] | None = None

    async def startup(self, sockets: list | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._failing = asyncio.create_task(self._stop_on_failure())
        await super().startup(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Called by uvicorn's signal handlers, and never passed on: a drained stop is a success."""
        self._loop.call_soon_threadsafe(self._stop, sig)

    def lend(self, sig: int, frame: FrameType | None) -> None:
        """For SIGUSR1: a rollout asks for the GPU, for the studio that is to take this one's place."""
        self.studio.lend()

    def _stop(self, sig: int) -> None:
        if self._stopping is not None:
            log.warning("Signal %s again: stopping at once", sig)
            self.should_exit = self.force_exit = True
            return
        log.info("Signal %s: draining", sig)
        self._stopping = asyncio.create_task(self._drain())

    async def _drain(self) -> None:
        try:
            await self.studio.drain()
            log.info("Drained")
        finally:
            self.should_exit = True

    async def _stop_on_failure(self) -> None:
        """A dead engine never comes back: end, and let whoever runs this start it again."""
        async for _ in self.studio.changes(LOOK_S):
            if self._stopping is None and (reason := self.studio.lost):
                log.error("This process cannot go on: %s", reason)
                self._stopping = asyncio.create_task(self._drain())
                return

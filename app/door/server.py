"""The web server, and how it stops: unwell but serving, until the proxy has turned to the other door."""

import asyncio
import gc
import logging
from types import FrameType

import uvicorn

from .app import Door

log = logging.getLogger(__name__)
# Longer than the proxy keeps an idle connection (Go: 90 s): it must be the one to close, or a request
# that it sends at that moment is lost.
KEEP_ALIVE_S = 120
# From the signal to taking no more; the proxy asks for the health once a second.
LAME_DUCK_S = 2.5
# For the last bytes of running answers.
LINGER_S = 5


class Server(uvicorn.Server):
    """Uvicorn that is a lame duck on the first signal, and hurries on the second."""

    def __init__(self, door: Door, host: str, port: int) -> None:
        super().__init__(
            uvicorn.Config(
                door,
                host=host,
                port=port,
                loop="uvloop",
                http="httptools",
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                date_header=False,
                # The check reads the proxy's headers itself, and nobody else should believe them.
                proxy_headers=False,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=LINGER_S,
            )
        )
        self._door = door
        self._stopping: asyncio.Task[None] | None = None

    async def startup(self, sockets: list | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        # What exists by now exists to the end: the collector need not look at it again and again.
        gc.collect()
        gc.freeze()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Called by uvicorn's signal handlers, and never passed on: a stop on request is a success."""
        self._loop.call_soon_threadsafe(self._stop, sig)

    def _stop(self, sig: int) -> None:
        if self._stopping is not None:
            log.warning("Signal %s again: stopping at once", sig)
            self.should_exit = self.force_exit = True
            return
        log.info("Signal %s: stopping in %s s", sig, LAME_DUCK_S)
        self._stopping = asyncio.create_task(self._quack())

    async def _quack(self) -> None:
        self._door.draining = True
        await asyncio.sleep(LAME_DUCK_S)
        self.should_exit = True

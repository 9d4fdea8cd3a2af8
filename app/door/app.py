"""The door as an ASGI application: the check and the health at the front, the pages behind them."""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

from starlette.applications import Starlette

from . import VERSION, answers, pages, sso
from .answers import Answer
from .check import PATH, Check
from .desk import Desk

log = logging.getLogger(__name__)

TIDY_S = 60
CLOSE = (b"connection", b"close")


class Door:
    """ASGI. `draining`: the health says no, so that the proxy turns to the other one; all else goes on."""

    def __init__(self, desk: Desk) -> None:
        self.draining = False
        self._desk = desk
        self._check = Check(desk)
        self._pages = Starlette(routes=[*sso.routes(desk), *pages.routes(desk)], lifespan=self._lifespan)
        self._pages.state.desk = desk

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._pages(scope, receive, send)
            return
        # A connection that stays open would be cut at the end, with a request on its way perhaps.
        answering = _closing(send) if self.draining else send
        path = scope["path"]
        if path.startswith(PATH):
            await self._check(scope, receive, answering)
        elif path == "/health":
            for message in self._health():
                await answering(message)
        else:
            await self._pages(scope, receive, answering)

    def _health(self) -> Answer:
        """Which configuration is in force; 503 when this one is about to end, or cannot read its files."""
        try:
            config, _ = self._desk.snapshot()
            status = "draining" if self.draining else "ok"
            content = {"status": status, "config": config.digest, "version": VERSION}
        except Exception:
            log.exception("The door cannot read its own files")
            status, content = "broken", {"status": "broken"}
        headers = [(b"content-type", b"application/json"), answers.NO_STORE]
        return answers.answer(200 if status == "ok" else 503, headers, json.dumps(content).encode())

    @contextlib.asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        tidying = asyncio.create_task(self._tidy())
        yield
        tidying.cancel()

    async def _tidy(self) -> None:
        while True:
            try:
                self._desk.tidy()
            except Exception:
                log.exception("Could not tidy up; trying again in %d s", TIDY_S)
            await asyncio.sleep(TIDY_S)


def application(desk: Desk) -> Door:
    """The ASGI application on a desk."""
    return Door(desk)


def _closing(send: Any) -> Any:
    async def closing(message: Any) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], CLOSE]}
        await send(message)

    return closing

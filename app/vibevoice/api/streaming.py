"""Answers that come while they are made, and callers that hang up in the meantime."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from typing import TypeVar

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from ..studio import Studio
from .errors import EXPECTED, RETRY, ApiError

T = TypeVar("T")
log = logging.getLogger(__name__)


class HungUp(Exception):
    """Nobody waits for the answer any more."""


class Broken(Exception):
    """A stream cannot be brought to its end; the message is for the log."""


class SoundStream(StreamingResponse):
    """Sound as it comes. One that breaks ends without the end that HTTP gives to what is whole."""

    def __init__(
        self,
        blocks: AsyncGenerator[bytes, None],
        media_type: str,
        headers: Mapping[str, str],
        afterwards: Callable[[], None] | None = None,
    ) -> None:
        """`afterwards` is called in any case, whether the stream was begun or not."""
        super().__init__(blocks, media_type=media_type, headers=headers)
        self._blocks, self._afterwards = blocks, afterwards

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._stopped = scope["app"].state.studio.stopped
        try:
            await super().__call__(scope, receive, send)
        finally:
            if self._afterwards:
                self._afterwards()

    async def stream_response(self, send: Send) -> None:
        """Ends whoever makes the sound, too, however it ends."""
        async with contextlib.aclosing(self._blocks) as blocks:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            try:
                async for block in _until(self._stopped, blocks):
                    await send({"type": "http.response.body", "body": block, "more_body": True})
            except (Broken, *EXPECTED) as error:
                log.warning("A stream of sound breaks off: %s", error)
                return
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _until(stopped: asyncio.Event, blocks: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    """The blocks. Raises Broken once the studio stops: what is to come is spoken elsewhere."""
    stop = asyncio.ensure_future(stopped.wait())
    following = asyncio.ensure_future(anext(blocks, None))
    try:
        while True:
            await asyncio.wait((following, stop), return_when=asyncio.FIRST_COMPLETED)
            if not following.done():
                raise Broken("the studio stops")
            block = following.result()
            if block is None:
                return
            yield block
            following = asyncio.ensure_future(anext(blocks, None))
    finally:
        for task in (following, stop):
            task.cancel()
        await asyncio.gather(following, stop, return_exceptions=True)


async def unless_gone(request: Request, studio: Studio, what: Awaitable[T]) -> T:
    """The result of `what`, which is cancelled if there is no use in waiting for it.

    Raises HungUp once the caller has, ApiError 503 once the studio stops.
    """
    waited = asyncio.ensure_future(what)
    gone = asyncio.ensure_future(_gone(request))
    stopped = asyncio.ensure_future(studio.stopped.wait())
    tasks = (waited, gone, stopped)
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if not waited.cancelled():
        return waited.result()
    if not gone.cancelled():
        raise HungUp
    raise ApiError(503, "The studio stopped before the end; try again.", code="stopped", headers=RETRY)


async def _gone(request: Request) -> None:
    """Once the caller has hung up. The request's body must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass

"""Requests of bounded size: what is larger is refused before it is in memory."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.types import Message

Handler = Callable[[Request], Awaitable[Response]]


def at_most(limit: int) -> type[APIRoute]:
    """The class of routes that take at most `limit` bytes, whatever their Content-Length says.

    FastAPI's own max_body_size answers in plain text.
    """

    class Bounded(APIRoute):
        def get_route_handler(self) -> Any:
            handle: Handler = super().get_route_handler()

            async def bounded(request: Request) -> Response:
                return await handle(Request(request.scope, _Counted(request, limit)))

            return bounded

    return Bounded


class TooLarge(HTTPException):
    """A body that is too large. FastAPI lets HTTPExceptions alone pass while it reads one."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            413, f"The request is too large; at most {limit:,} bytes are taken here. Send less, or in parts."
        )


class _Counted:
    """Receives a request's parts until they are too many."""

    def __init__(self, request: Request, limit: int) -> None:
        self._receive, self._limit, self._received = request.receive, limit, 0
        length = request.headers.get("content-length", "")
        self._said = int(length) if length.isascii() and length.isdecimal() and len(length) < 20 else 0

    async def __call__(self) -> Message:
        if self._said > self._limit:
            raise TooLarge(self._limit)
        message = await self._receive()
        self._received += len(message.get("body", b""))
        if self._received > self._limit:
            raise TooLarge(self._limit)
        return message

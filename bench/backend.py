"""A studio that costs next to nothing: one fixed answer to every request, whatever it asks."""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
from collections.abc import Iterator
from contextlib import contextmanager

BODY = b'{"object": "list", "data": []}\n'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)


class _Answers(asyncio.Protocol):
    """Reads requests without a body, one after another."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport, self._rest = transport, b""

    def data_received(self, data: bytes) -> None:
        *whole, self._rest = (self._rest + data).split(b"\r\n\r\n")
        if whole:
            self._transport.write(ANSWER * len(whole))


@contextmanager
def backend() -> Iterator[tuple[str, int]]:
    """Serve in a process of its own; yields its URL and its process id."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=100)
    process = multiprocessing.Process(target=_serve, args=(listening,), daemon=True)
    process.start()
    try:
        assert process.pid
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", process.pid
    finally:
        process.kill()
        process.join()
        listening.close()


def _serve(listening: socket.socket) -> None:
    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(_Answers, sock=listening)
        await server.serve_forever()

    asyncio.run(serve())

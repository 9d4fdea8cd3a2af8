"""JSON from identity providers: over verified TLS, bounded in time and size, redirects not followed."""

import asyncio
import os
import re
import ssl
from collections.abc import AsyncIterator
from functools import lru_cache
from typing import Any

import certifi
import httpx

TIMEOUT_S = 10
# A discovery document has 3 KiB, Azure's key set 20 KiB.
LIMIT_BYTES = 512 * 1024


class Unreachable(Exception):
    """A provider could not be asked, or its answer is none; the message says which address and why."""


def safe(url: str) -> bool:
    """Whether nobody can listen: TLS, or the loopback (which the configuration alone may name)."""
    return url.startswith("https://") or bool(re.match(r"http://(127\.0\.0\.1|localhost)[:/]", url))


class Transport(httpx.AsyncBaseTransport):
    """httpx's own, with TLS checked against `ca` (None: the public authorities) and bounded answers."""

    def __init__(self, ca: str | None) -> None:
        self._inner = httpx.AsyncHTTPTransport(verify=trust(ca), trust_env=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if not safe(str(request.url)):
            raise httpx.UnsupportedProtocol("Not an https address", request=request)
        # Unpacking could make any size out of a few bytes.
        request.headers["Accept-Encoding"] = "identity"
        answer = await self._inner.handle_async_request(request)
        if answer.headers.get("content-encoding", "identity") != "identity":
            await answer.aclose()
            raise httpx.DecodingError("The answer is compressed though nobody asked for it", request=request)
        assert isinstance(answer.stream, httpx.AsyncByteStream)
        return httpx.Response(
            answer.status_code,
            headers=answer.headers,
            stream=_Bounded(answer.stream, request),
            extensions=answer.extensions,
        )

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Bounded(httpx.AsyncByteStream):
    def __init__(self, inner: httpx.AsyncByteStream, request: httpx.Request) -> None:
        self._inner, self._request = inner, request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for piece in self._inner:
            size += len(piece)
            if size > LIMIT_BYTES:
                raise httpx.DecodingError(f"More than {LIMIT_BYTES} bytes", request=self._request)
            yield piece

    async def aclose(self) -> None:
        await self._inner.aclose()


def trust(ca: str | None) -> ssl.SSLContext:
    """What a provider's certificate is checked against; read again when the file changes.

    Raises Unreachable for a file that cannot be used.
    """
    path = ca or certifi.where()
    try:
        return _context(path, os.stat(path).st_mtime_ns)
    except OSError as error:  # ssl.SSLError is one
        raise Unreachable(f"The authorities in {path} cannot be used: {error}") from error


@lru_cache(maxsize=32)
def _context(path: str, _changed: int) -> ssl.SSLContext:
    # Reading the public authorities takes 20 ms.
    return ssl.create_default_context(cafile=path)


def limited() -> asyncio.Timeout:
    """For all of an exchange: httpx limits each piece, and a server that drips would never end."""
    return asyncio.timeout(TIMEOUT_S)


async def get(url: str, ca: str | None, *, bearer: str | None = None) -> dict[str, Any]:
    """The JSON object at `url`. Raises Unreachable for everything else."""
    headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {bearer}"} if bearer else {})
    try:
        async with (
            limited(),
            httpx.AsyncClient(transport=Transport(ca), timeout=TIMEOUT_S, trust_env=False) as client,
        ):
            answer = await client.get(url, headers=headers)
            document = answer.json() if answer.status_code == 200 else None
    except (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError, ValueError, RecursionError) as error:
        raise Unreachable(f"{url}: {error or type(error).__name__}") from error
    if not isinstance(document, dict):
        raise Unreachable(f"{url}: status {answer.status_code}, or not a JSON object")
    return document

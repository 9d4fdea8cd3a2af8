"""Files as answers: their names, ranges, and whether the caller has them already."""

import os
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from fastapi.responses import FileResponse, Response
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from .errors import Answers, ApiError

LONGEST_NAME = 80
_UNFIT = re.compile(r'[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff/\\:*?"<>|]+')
_RANGE = re.compile(r"bytes=(?:(\d{1,18})-(\d{0,18})|-(\d{1,18}))")


def answers(media_types: Iterable[str]) -> Answers:
    """What `Ranged` answers with, for a route's `responses`."""
    content = {name: {"schema": {"type": "string", "format": "binary"}} for name in media_types}
    part = {"Content-Range": {"schema": {"type": "string"}, "required": True}}
    return {
        200: {"description": "The whole.", "content": content},
        206: {"description": "A part of it (Range).", "content": content, "headers": part},
        304: {"description": "The caller has it already (If-None-Match)."},
    }


class Ranged(FileResponse):
    """A file, or one range of it. Several at once, and what is no range, get the whole: RFC 9110 allows it.

    Raises ApiError 416 for a range behind its end, 404 if the file has gone.
    """

    def __init__(self, path: Path, media_type: str, headers: dict[str, str]) -> None:
        try:
            super().__init__(path, media_type=media_type, headers=headers, stat_result=os.stat(path))
        except FileNotFoundError:
            raise _gone() from None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = Headers(scope=scope)
        if _named(asked.get("if-none-match", ""), self.headers["etag"]):
            kept = {"etag": self.headers["etag"], "cache-control": self.headers.get("cache-control", "")}
            await Response(status_code=304, headers=kept)(scope, receive, send)
            return
        part = _range(asked.get("range", ""), int(self.headers["content-length"]))
        rest = [(name, value) for name, value in scope["headers"] if name != b"range"]
        if part is not None:
            rest.append((b"range", b"bytes=%d-%d" % part))
        await super().__call__({**scope, "headers": rest}, receive, send)


def disposition(name: str, suffix: str, *, download: bool) -> str:
    """Content-Disposition for a file called `name`, a title in any script (RFC 6266)."""
    stem = _UNFIT.sub(" ", name).strip(" .")[:LONGEST_NAME].strip(" .") or "speech"
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^\w .,()+-]+|\s{2,}", " ", plain).strip(" .,") or "speech"
    how = "attachment" if download else "inline"
    return f"{how}; filename=\"{plain}{suffix}\"; filename*=UTF-8''{quote(stem + suffix, safe='')}"


def _range(header: str, size: int) -> tuple[int, int] | None:
    """First and last byte; None: the whole. Raises ApiError."""
    match = _RANGE.fullmatch(header.strip())
    if match is None:
        return None
    first, last, length = match.groups()
    if first is None:
        begin, end = max(0, size - int(length)), size - 1
        satisfiable = int(length) > 0 and size > 0
    else:
        begin, end = int(first), min(int(last or size), size - 1)
        if last and int(last) < begin:
            return None
        satisfiable = begin < size
    if not satisfiable:
        raise ApiError(
            416,
            f"The file has {size:,} bytes, and the range begins behind them.",
            code="range_not_satisfiable",
            headers={"Content-Range": f"bytes */{size}"},
        )
    return begin, end


def _named(header: str, etag: str) -> bool:
    names = [name.strip().removeprefix("W/") for name in header.split(",")]
    return etag in names or "*" in names


def _gone() -> ApiError:
    return ApiError(404, "The file has gone; its job or voice was deleted just now.", code="gone")

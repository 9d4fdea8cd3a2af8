"""The outermost application: only what came through the door comes in, and stays within its limits."""

import logging
import re
from contextlib import ExitStack, nullcontext

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..counters import LimitReached
from ..door import Allowance, Door, NotThroughTheDoor
from ..studio import Studio
from .errors import ApiError, from_studio, respond

log = logging.getLogger(__name__)
HEADER = b"x-auth-limits"
GONE: Message = {"type": "http.disconnect"}
_LENGTH = re.compile(rb"[0-9]{1,19}")


class Limits:
    """Checks the door's pass of every request but those for /health/, and leaves it to the handlers.

    They find it as `request.state.allowance`: None where there is no door (VV_DOOR_KEY), and then nothing is
    limited. It is never absent, so that whoever forgot this application gets errors instead of no limits.
    """

    def __init__(self, app: ASGIApp, studio: Studio) -> None:
        key = studio.settings.door_key
        self._app, self._studio = app, studio
        self._door = Door(key, studio.settings.project, studio.now) if key else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or scope["path"].startswith("/health/"):
            await self._app(scope, receive, send)
            return
        try:
            allowance = self._door and self._door.allowance(_only(scope, HEADER))
        except NotThroughTheDoor as error:
            await _turn_away(error, scope, receive, send)
            return
        scope.setdefault("state", {})["allowance"] = allowance
        with self._studio.answering() if _asks_for_speech(scope) else nullcontext():
            if allowance is None or scope["type"] != "http":
                await self._app(scope, receive, send)
            else:
                await _Metered(self._studio, allowance, scope, receive, send).run(self._app)


class _Metered:
    """One request and its answer, as far as the allowance goes.

    POST /v1/audio/speech is a stream from its beginning; an event stream of the API, and sound that is sent
    while it is spoken, from its first byte on.
    """

    def __init__(
        self, studio: Studio, allowance: Allowance, scope: Scope, receive: Receive, send: Send
    ) -> None:
        self._studio, self._allowance = studio, allowance
        self._scope, self._receive, self._send = scope, receive, send
        self._received = 0
        self._started = self._refused = self._streams = False
        self._held = ExitStack()

    async def run(self, app: ASGIApp) -> None:
        """Let the application answer, unless a limit does."""
        length = _content_length(self._scope)
        if length > self._allowance.upload_bytes:
            await self._refuse(_too_large(f"{length:,} bytes", self._allowance))
            return
        # Ends with the answer, however that ends.
        with self._held:
            if _asks_for_speech(self._scope):
                await self._hold_stream()
            if self._refused:
                return
            try:
                await app(self._scope, self._take, self._give)
            except Exception:
                # Having been refused it could but fail.
                if not self._refused:
                    raise

    async def _take(self) -> Message:
        """The request's next part. After a refusal, to the application, the caller has hung up."""
        if self._refused or self._received > self._allowance.upload_bytes:
            return GONE
        message = await self._receive()
        self._received += len(message.get("body", b""))
        if self._received <= self._allowance.upload_bytes:
            return message
        if not self._started:
            await self._refuse(_too_large(f"at least {self._received:,} bytes", self._allowance))
        return GONE

    async def _give(self, message: Message) -> None:
        """The answer's next part."""
        if message["type"] == "http.response.start" and not self._refused:
            if self._scope["path"].startswith("/v1/") and not self._streams and _lasts(message):
                await self._hold_stream()
            self._started = not self._refused
        if self._refused:
            raise ConnectionAbortedError("The answer has been given already.")
        await self._send(message)

    async def _hold_stream(self) -> None:
        try:
            self._held.enter_context(self._studio.hold_stream(self._allowance))
            self._streams = True
        except LimitReached as error:
            await self._refuse(from_studio(error))

    async def _refuse(self, error: ApiError) -> None:
        self._refused = True
        await respond(error)(self._scope, self._receive, self._send)


async def _turn_away(error: NotThroughTheDoor, scope: Scope, receive: Receive, send: Send) -> None:
    """Somebody reached the studio around the gateway, or the two do not share a key."""
    client = (scope.get("client") or ("?",))[0]
    log.warning("Not through the door: %.100r from %s: %s", scope["path"], client, error)
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    message = "This studio takes only what comes through its gateway. Use the gateway's address."
    # RFC 9110: a 401 says how to do better.
    headers = {"WWW-Authenticate": 'Bearer realm="vibevoice"'}
    answer = respond(ApiError(401, message, code="not_through_the_door", headers=headers))
    await answer(scope, receive, send)


def _only(scope: Scope, header: bytes) -> bytes:
    """The header's value. Raises NotThroughTheDoor if it is there never or twice."""
    match [value for name, value in scope["headers"] if name == header]:
        case [value]:
            return value
        case values:
            raise NotThroughTheDoor("it has no pass" if not values else "it has more than one pass")


def _content_length(scope: Scope) -> int:
    """In bytes; 0 if the request names none: what really comes is counted too."""
    named = [value for name, value in scope["headers"] if name == b"content-length"]
    return max((int(value) for value in named if _LENGTH.fullmatch(value)), default=0)


def _too_large(size: str, allowance: Allowance) -> ApiError:
    return ApiError(
        413,
        f"The request has {size}, and the project may upload {allowance.upload_bytes:,} at once. "
        "Send less, or in parts.",
        code="upload_too_large",
    )


def _asks_for_speech(scope: Scope) -> bool:
    return scope["type"] == "http" and (scope["method"], scope["path"]) == ("POST", "/v1/audio/speech")


def _lasts(start: Message) -> bool:
    """Whether an answer may go on for as long as its job: events, or sound whose length nobody knows yet."""
    headers = {name.lower(): value.lower() for name, value in start["headers"]}
    kind = headers.get(b"content-type", b"")
    return kind.startswith(b"text/event-stream") or (
        kind.startswith(b"audio/") and b"content-length" not in headers
    )

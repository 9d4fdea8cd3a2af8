"""No page before there is a model behind its button."""

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from ..studio import Studio

WORDS = "The studio is starting: its model is being loaded. Try again in a moment.\n"
HEADERS = {"Retry-After": "5", "Cache-Control": "no-store"}


class Waiting:
    """Answers a browser that asks for a page with 503 while the model is being loaded.

    The gateway puts its own waiting page in place of the words. The API and health speak for themselves.
    """

    def __init__(self, app: ASGIApp, studio: Studio) -> None:
        self._app, self._studio = app, studio

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._studio.state == "loading" and _asks_for_a_page(scope):
            await PlainTextResponse(WORDS, 503, headers=HEADERS)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _asks_for_a_page(scope: Scope) -> bool:
    return (
        scope["type"] == "http"
        and scope["method"] in ("GET", "HEAD")
        and not scope["path"].startswith(("/v1/", "/health/"))
        and any(name == b"accept" and b"text/html" in value.lower() for name, value in scope["headers"])
    )

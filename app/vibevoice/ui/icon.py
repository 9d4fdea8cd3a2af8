"""The page's icon, named where a browser looks first."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

LINK = b'<link rel="icon" type="image/svg+xml" href="./favicon.ico">'


class Icon:
    """Puts a link to the icon into the page's head.

    Gradio adds what one gives it for the head by script, too late: by then the browser has asked for
    /favicon.ico, outside of what the proxy gives to this studio.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/" and scope["method"] == "GET":
            await self._app(scope, receive, _Rewriting(send))
        else:
            await self._app(scope, receive, send)


class _Rewriting:
    """Sends an answer on; of a page, the whole of it at once with the link inside."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_page(message):
            self._start = message
        elif self._start is None:
            await self._send(message)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body"):
                await self._send_page(self._start)

    async def _send_page(self, start: Message) -> None:
        page = self._body.replace(b"<head>", b"<head>" + LINK, 1)
        others = [pair for pair in start["headers"] if pair[0].lower() != b"content-length"]
        headers = [*others, (b"content-length", str(len(page)).encode())]
        await self._send({**start, "headers": headers})
        await self._send({"type": "http.response.body", "body": page})


def _is_page(start: Message) -> bool:
    return any(
        name.lower() == b"content-type" and value.startswith(b"text/html") for name, value in start["headers"]
    )

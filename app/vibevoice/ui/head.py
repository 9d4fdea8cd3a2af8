"""What the page's head must have before Gradio's script runs, and which origins the page may ask: its own."""

import base64
import hashlib
import html
import json
import re
from collections.abc import Callable, Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Previews for other sites, and early connections to foreign fonts: nobody asked for either.
_FOREIGN = re.compile(
    rb"""<meta\s+(?:property="og:|name="twitter:)[^>]*>|<link\s+rel="preconnect"[^>]*>""", re.IGNORECASE
)
_SCRIPT = re.compile(rb"<script(?P<attributes>[^>]*)>(?P<code>.*?)</script>", re.DOTALL | re.IGNORECASE)


class Head:
    """Rewrites the page on its way out.

    Gradio adds what one gives it for the head by script, too late: by then the browser has asked for
    /favicon.ico, outside of what the proxy gives to this studio, and has painted once without our styles.
    """

    def __init__(self, app: ASGIApp, links: str, facts: Callable[[], Mapping[str, object]]) -> None:
        """`links` is HTML; `facts` are asked for anew for each page, and are JSON for its script."""
        self._app, self._links, self._facts = app, links, facts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/" and scope["method"] == "GET":
            facts = json.dumps(self._facts(), ensure_ascii=False)
            head = f'{self._links}<meta name="studio" content="{html.escape(facts)}">'
            await self._app(scope, receive, _Rewriting(send, head.encode()))
        else:
            await self._app(scope, receive, send)


class _Rewriting:
    """Sends an answer on; of a page, the whole of it at once with the head's beginning inside."""

    def __init__(self, send: Send, head: bytes) -> None:
        self._send, self._head = send, head
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
        page = _FOREIGN.sub(b"", self._body).replace(b"<head>", b"<head>" + self._head, 1)
        replaced = (b"content-length", b"content-security-policy", b"cache-control")
        others = [pair for pair in start["headers"] if pair[0].lower() not in replaced]
        headers = [
            *others,
            (b"content-length", str(len(page)).encode()),
            (b"content-security-policy", policy(page).encode()),
            # It names styles and scripts by their hash: after an update there are others.
            (b"cache-control", b"no-cache"),
        ]
        await self._send({**start, "headers": headers})
        await self._send({"type": "http.response.body", "body": page})


def policy(page: bytes) -> str:
    """The page's Content-Security-Policy: nothing from elsewhere, and no script inside but the page's own.

    A title that is HTML stays text, for it is never put in as anything else; this is for the day on which
    somebody errs. Gradio builds styles, and functions from the texts of its own configuration.
    """
    inline = {
        base64.b64encode(hashlib.sha256(match["code"]).digest()).decode()
        for match in _SCRIPT.finditer(page)
        if b"src=" not in match["attributes"] and match["code"].strip()
    }
    hashes = " ".join(f"'sha256-{digest}'" for digest in sorted(inline))
    return (
        f"default-src 'self'; script-src 'self' 'unsafe-eval' {hashes}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self' data:; worker-src 'self' blob:; "
        "connect-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; "
        "frame-ancestors 'self'"
    )


def _is_page(start: Message) -> bool:
    return any(
        name.lower() == b"content-type" and value.startswith(b"text/html") for name, value in start["headers"]
    )

"""What holds for every page: its methods, who may send it what, and that it fails with a page."""

import logging
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ..desk import Desk
from ..next import login_for
from ..people import Unavailable
from .visit import HEADERS, Refusal, Visit

log = logging.getLogger(__name__)
# Twice a password of 1,000 characters of four bytes, each of them percent-encoded, and the rest.
MAX_FORM_BYTES = 32 * 1024
MAX_FIELDS = 20
Fields = dict[str, str]
Get = Callable[[Visit], Awaitable[Response]]
Post = Callable[[Visit, Fields], Awaitable[Response]]


class Page:
    """An ASGI endpoint for one address.

    Args:
        get: answers GET and HEAD; None: 405.
        post: answers POST, with the fields of a form that is certain to be one of ours; None: 405.
        whatever: answers every method, in place of the two.
        member: whether one must be logged in; whoever is not is sent to the login page.
        framed: whether scripts and proxies may fetch the page too. Pages that hold a form's token, or say
            who somebody is, are for a browser's window only: a studio's script shares our origin.
    """

    def __init__(
        self,
        desk: Desk,
        *,
        get: Get | None = None,
        post: Post | None = None,
        whatever: Get | None = None,
        member: bool = False,
        framed: bool = False,
        headers: dict[str, str] | None = None,
    ) -> None:
        self._desk, self._get, self._post, self._whatever = desk, get, post, whatever
        self._member, self._framed = member, framed
        self._headers = headers or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        visit = Visit(self._desk, Request(scope, receive))
        try:
            response = await self._answer(visit)
        except Refusal as refusal:
            response = visit.refusal(refusal.status, refusal.key)
        except Unavailable:
            log.exception("A page could not write what it had to")
            response = visit.refusal(503, "unavailable")
        except ClientDisconnect:
            return
        except Exception:
            # Not which address: an invitation's is a secret.
            log.exception("A page failed")
            response = _broken(visit)
        response.headers.update(self._headers)
        await response(scope, receive, send)

    async def _answer(self, visit: Visit) -> Response:
        method = visit.request.method
        if not self._framed:
            _check_destination(visit.request)
            visit.anonymous = False
        if self._whatever:
            return await self._whatever(visit)
        if method in ("GET", "HEAD") and self._get:
            return await self._get(visit) if self._may_see(visit) else self._to_login(visit)
        if method == "POST" and self._post:
            _check_origin(visit)
            if not self._may_see(visit):
                return self._to_login(visit)
            return await self._post(visit, await _fields(visit))
        allowed = (["GET", "HEAD"] if self._get else []) + (["POST"] if self._post else [])
        return visit.refusal(405, "method", {"Allow": ", ".join(allowed)})

    def _may_see(self, visit: Visit) -> bool:
        return not self._member or visit.session is not None

    def _to_login(self, visit: Visit) -> Response:
        return visit.go(login_for(visit.request.url.path))


def _check_destination(request: Request) -> None:
    """Raises Refusal for whatever is to become anything but a page in a window."""
    if request.headers.get("sec-fetch-dest", "document") != "document":
        raise Refusal(403, "elsewhere")


def _check_origin(visit: Visit) -> None:
    """Raises Refusal unless the browser says that a page of this site has sent the form."""
    headers = visit.request.headers
    origins = headers.getlist("origin")
    if origins:
        good = origins == [f"https://{visit.desk.config.domain.lower()}"]
    else:
        good = headers.getlist("sec-fetch-site") == ["same-origin"]
    if not good:
        raise Refusal(403, "origin")


async def _fields(visit: Visit) -> Fields:
    """A form's fields, each given once. Raises Refusal if it is none, or not made for this visitor."""
    kind = visit.request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise Refusal(415, "form")
    body = bytearray()
    async for piece in visit.request.stream():
        body += piece
        if len(body) > MAX_FORM_BYTES:
            raise Refusal(413, "form")
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict"
        )
    except ValueError as error:
        raise Refusal(400, "form") from error
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise Refusal(400, "form")
    # An empty binding is nobody's: whoever has no cookie could not have got a form.
    if not visit.binding or not visit.desk.forms.valid(fields.get("form", ""), visit.binding):
        raise Refusal(403, "stale")
    return fields


def _broken(visit: Visit) -> Response:
    try:
        return visit.refusal(500, "broken")
    except Exception:
        # Whatever failed is what every page needs, such as the database.
        log.exception("The page that says so failed too")
        return Response("The door is out of order; tell operations.\n", 500, headers=HEADERS)

"""Invitations: who has the link sets the password of the name in it, once."""

from starlette.responses import Response
from starlette.routing import Route

from ..desk import Desk
from ..next import PORTAL
from ..people import WeakPassword
from .endpoint import Fields, Page
from .login import enter
from .visit import Visit

MIN_CHARS, MAX_CHARS = 12, 1000
# The address is a secret, so no other page may learn it. Not "no-referrer": browsers then send the form
# with "Origin: null", and it would be refused.
HEADERS = {"Referrer-Policy": "strict-origin"}
WEAK = {
    "short": "invite_short",
    "long": "invite_long",
    "text": "invite_text",
    "name": "invite_name_like",
    "elsewhere": "invite_elsewhere",
}


def routes(desk: Desk) -> list[Route]:
    """The invitation's page."""
    return [Route("/vibevoice/door/invite/{token}", Page(desk, get=invite, post=accept, headers=HEADERS))]


async def invite(visit: Visit) -> Response:
    """Shows the form; looking uses nothing up, for mail programs look first."""
    name = visit.desk.invited(visit.request.path_params["token"])
    return _page(visit, name) if name else _gone(visit)


async def accept(visit: Visit, fields: Fields) -> Response:
    desk = visit.desk
    name = desk.invited(visit.request.path_params["token"])
    if not name:
        return _gone(visit)
    password = fields.get("password", "")
    if password != fields.get("again", ""):
        return _page(visit, name, 400, error="invite_differ")
    try:
        # Hashes for 25 ms and is waited for, so that no other request comes between: the invitation is over
        # with the password it was made under.
        desk.set_password(name, password)
    except WeakPassword as weak:
        return _page(visit, name, 400, error=WEAK.get(weak.reason, "invite_weak"))
    person = desk.person(name)
    if person is None:
        return _gone(visit)
    desk.audit.note("invite_used", user=name, address=visit.address)
    desk.audit.note("password_changed", user=name, address=visit.address)
    desk.audit.note("login", user=name, address=visit.address, via="password", reason="invitation")
    return enter(visit, person, "password", PORTAL)


def _page(visit: Visit, name: str, status: int = 200, *, error: str = "") -> Response:
    return visit.page("invite.html", status, name=name, error=error, minimum=MIN_CHARS, maximum=MAX_CHARS)


def _gone(visit: Visit) -> Response:
    return visit.refusal(410, "invite_gone")

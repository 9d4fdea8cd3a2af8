"""Logging in with name and password, and logging out."""

from typing import Literal

from starlette.responses import Response
from starlette.routing import Route

from ..desk import Desk
from ..next import LOGIN, PORTAL, safe_next
from ..people import Person, Refused, Slowed
from .endpoint import Fields, Page
from .visit import Visit, seconds

# Longer ones are nobody's; and nobody's work is to hash them.
MAX_NAME_CHARS = 100
MAX_PASSWORD_CHARS = 1000


def routes(desk: Desk) -> list[Route]:
    """Login and logout."""
    return [
        Route(LOGIN, Page(desk, get=login, post=log_in)),
        Route("/vibevoice/logout", Page(desk, get=confirm_logout, post=log_out)),
    ]


async def login(visit: Visit) -> Response:
    if visit.session:
        return visit.go(_onward(visit))
    return _login_page(visit)


async def log_in(visit: Visit, fields: Fields) -> Response:
    name, password = fields.get("name", "").strip(), fields.get("password", "")
    if not name or not password:
        return _login_page(visit, 400, error="login_missing", name=name)
    if len(name) > MAX_NAME_CHARS or len(password) > MAX_PASSWORD_CHARS:
        return _login_page(visit, 401, error="login_wrong")
    try:
        person = await visit.desk.log_in(name, password, visit.address, visit.cookies)
    except Refused:
        return _login_page(visit, 401, error="login_wrong", name=name)
    except Slowed as slowed:
        wait = seconds(slowed.retry_after_s)
        headers = {"Retry-After": str(wait)}
        return _login_page(visit, 429, headers, error="login_slowed", name=name, seconds=wait)
    return enter(visit, person, "password", _onward(visit))


async def confirm_logout(visit: Visit) -> Response:
    return visit.page("logout.html") if visit.session else visit.go(LOGIN)


async def log_out(visit: Visit, fields: Fields) -> Response:
    if session := visit.session:
        visit.set_cookie(visit.desk.close_session(session))
        visit.desk.audit.note("logout", user=session.person.name, address=visit.address, via="session")
    return visit.go(LOGIN)


def enter(visit: Visit, person: Person, via: Literal["password", "sso"], onward: str) -> Response:
    """Open a session in place of the one there may be, and go on."""
    if visit.session:
        visit.desk.close_session(visit.session)
    for cookie in visit.desk.open_session(person, via):
        visit.set_cookie(cookie)
    return visit.go(onward)


def _onward(visit: Visit) -> str:
    return safe_next(visit.request.query_params.get("next"))


def _login_page(
    visit: Visit,
    status: int = 200,
    headers: dict[str, str] | None = None,
    *,
    error: str = "",
    name: str = "",
    **values: object,
) -> Response:
    onward = _onward(visit)
    return visit.page(
        "login.html",
        status,
        headers,
        error=error,
        values=values,
        name=name,
        onward="" if onward == PORTAL else onward,
        sign_on=visit.desk.config.sign_on,
        domain=visit.desk.config.domain,
    )

"""The door's pages, made here and not in the browser: login, portal, keys, invitations, waiting."""

from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from .. import words
from ..desk import Desk
from ..states import States
from . import invite, keys, login, portal, waiting
from .endpoint import Page
from .visit import HEADERS, STYLE, Visit, render

__all__ = ["HEADERS", "forbidden_page", "routes"]


def routes(desk: Desk) -> list[BaseRoute]:
    """Every page; the last takes whatever else reaches the door."""
    states = States()
    return [
        *login.routes(desk),
        *portal.routes(desk, states),
        *keys.routes(desk),
        *invite.routes(desk),
        *waiting.routes(desk, states),
        Route("/vibevoice/door/style.css", Page(desk, get=_style, framed=True)),
        waiting.catch_all(desk, states),
    ]


def forbidden_page(desk: Desk, accept_language: str, project: str) -> bytes:
    """The body of the 403 for somebody who is known, but not in `project`; it goes with HEADERS."""
    language = words.preferred(accept_language)
    html = render(
        "message.html",
        language,
        person=None,
        languages=[],
        title=words.say(language, "forbidden_title"),
        text=words.say(language, "forbidden"),
        project=project if desk.config.project(project) else "",
        links=[("/vibevoice/", "back_to_portal"), ("/vibevoice/logout", "logout")],
    )
    return html.encode()


async def _style(visit: Visit) -> Response:
    # The one answer without a secret. Its address changes with its content.
    return Response(
        STYLE, media_type="text/css", headers={**HEADERS, "Cache-Control": "public, max-age=86400"}
    )

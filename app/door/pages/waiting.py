"""What stands in for a studio that is not there: a page that looks again by itself, JSON for programs."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..config import Project
from ..desk import Desk
from ..states import State, States
from .endpoint import Page
from .visit import HEADERS, Visit

ADDRESS = "/vibevoice/door/waiting"
RETRY_S = 5
RETRY = {"Retry-After": str(RETRY_S)}
AWAY = f"The studio is not running at the moment. Try again in {RETRY_S} seconds."
# No project's: names that the site keeps for itself.
OWN = ("/vibevoice/door/", "/vibevoice/auth/")


def routes(desk: Desk, states: States) -> list[Route]:
    """The waiting page, which the proxy fetches and puts in the place of a studio's.

    Whoever chose another language comes here themselves (`direct`): they go on when the studio is there.
    """

    async def waiting(visit: Visit) -> Response:
        project = desk.config.project(visit.request.query_params.get("project", ""))
        state = await states.state(project) if project else "stopped"
        if project and state == "running" and "direct" in visit.request.query_params:
            return visit.go(f"/vibevoice/{quote(project.name)}/")
        query = [("project", project.name), ("direct", "1")] if project else []
        return _page(visit, project, state, languages=visit.languages(ADDRESS, query))

    return [Route(ADDRESS, Page(desk, get=waiting, framed=True))]


def catch_all(desk: Desk, states: States) -> Route:
    """Everything else: the proxy sends a project's requests here while its studio is away."""

    async def answer(visit: Visit) -> Response:
        if visit.request.url.path.startswith(OWN):
            return envelope(404, "invalid_request_error", "page_not_found", "There is no such page.")
        accept = visit.request.headers.get("accept", "")
        if visit.request.method in ("GET", "HEAD") and "text/html" in accept:
            project = desk.config.project(_project_in(visit.request.url.path))
            return _page(visit, project, await states.state(project) if project else "stopped")
        return envelope(503, "server_error", "studio_unavailable", AWAY, RETRY)

    # Methods, forms and origins are the studio's to judge.
    return Route("/{path:path}", Page(desk, whatever=answer, framed=True))


def _page(visit: Visit, project: Project | None, state: State, **more: Any) -> Response:
    return visit.page(
        "waiting.html", 503, RETRY, project=project.name if project else "", state=state, **more
    )


def envelope(
    status: int, type: str, code: str, message: str, headers: Mapping[str, str] = MappingProxyType({})
) -> Response:
    """What programs get, as OpenAI's clients understand it."""
    error = {"message": message, "type": type, "param": None, "code": code}
    return JSONResponse({"error": error}, status, headers={**HEADERS, **headers})


def _project_in(path: str) -> str:
    parts = path.split("/")
    return parts[2] if len(parts) > 2 and parts[1] == "vibevoice" else ""

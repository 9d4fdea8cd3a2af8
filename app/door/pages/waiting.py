"""What stands in for a studio that is not there: a page that looks again by itself, JSON for programs."""

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..desk import Desk
from ..states import States
from .endpoint import Page
from .visit import HEADERS, Visit

RETRY_S = 5
RETRY = {"Retry-After": str(RETRY_S)}


def routes(desk: Desk, states: States) -> list[Route]:
    """The waiting page, which the proxy fetches and puts in the place of a studio's."""

    async def waiting(visit: Visit) -> Response:
        return await page(visit, states, visit.request.query_params.get("project", ""))

    return [Route("/vibevoice/door/waiting", Page(desk, get=waiting, framed=True))]


def catch_all(desk: Desk, states: States) -> Route:
    """Everything else that comes here: the proxy sends a project's requests to us while its studio is away."""

    async def answer(visit: Visit) -> Response:
        accept = visit.request.headers.get("accept", "")
        if visit.request.method in ("GET", "HEAD") and "text/html" in accept:
            return await page(visit, states, _project_in(visit.request.url.path))
        return envelope()

    # Methods, forms and origins are the studio's to judge.
    return Route("/{path:path}", Page(desk, whatever=answer, framed=True))


async def page(visit: Visit, states: States, name: str) -> Response:
    """The waiting page; for one of the projects it says what its studio does."""
    project = visit.desk.config.project(name)
    state = await states.state(project) if project else "stopped"
    return visit.page("waiting.html", 503, RETRY, project=project.name if project else "", state=state)


def envelope() -> Response:
    """What programs get, as OpenAI's clients understand it."""
    error = {
        "message": f"The studio is not running at the moment. Try again in {RETRY_S} seconds.",
        "type": "server_error",
        "param": None,
        "code": "studio_unavailable",
    }
    return JSONResponse({"error": error}, 503, headers={**HEADERS, **RETRY})


def _project_in(path: str) -> str:
    parts = path.split("/")
    return parts[2] if len(parts) > 2 and parts[1] == "vibevoice" else ""

"""The portal: the studios one may open, and whether they run."""

from starlette.responses import Response
from starlette.routing import Route

from ..desk import Desk
from ..next import PORTAL
from ..states import States
from .endpoint import Page
from .visit import Visit


def routes(desk: Desk, states: States) -> list[Route]:
    """The portal with its slash and without."""

    async def portal(visit: Visit) -> Response:
        assert visit.person
        projects = sorted(desk.projects_of(visit.person), key=lambda project: project.name)
        found = await states.of(projects)
        cards = [{"name": project.name, "state": found[project.name]} for project in projects]
        # A page that says that it looks again does so.
        waiting = "starting" in found.values()
        return visit.page("portal.html", cards=cards, waiting=waiting, domain=desk.config.domain)

    async def slash(visit: Visit) -> Response:
        return visit.go(PORTAL)

    return [
        Route("/vibevoice", Page(desk, get=slash)),
        Route(PORTAL, Page(desk, get=portal, member=True)),
    ]

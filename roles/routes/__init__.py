"""Which projects the world sees."""

from __future__ import annotations

from pyinfra.api import deploy

from fleet import Gateway, Site, names
from roles.routes import config
from steps.files import File
from steps.traefik import dynamic

DIRECTORY = "/etc/vibevoice/traefik/dynamic"


def file(site: Site) -> File:
    """The projects' routes, reloaded whenever they change."""
    return File(f"{DIRECTORY}/routes.yml", config.routes(site))


@deploy("Routes")
def routes(site: Site, member: Gateway) -> None:
    """Route the declared projects and no others; Traefik takes it up without dropping a connection."""
    dynamic(
        name="Route the projects",
        part="routes",
        files=[file(site)],
        directory=DIRECTORY,
        container=names.TRAEFIK,
    )

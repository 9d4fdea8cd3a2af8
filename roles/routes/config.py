"""Public routes of the projects, rendered from the inventory. Pure."""

from __future__ import annotations

from fleet import Project, Site, names
from steps.files import render


def routes(site: Site, node_urls: dict[str, str] | None = None, door: str = names.DOOR_ENTRY) -> str:
    """dynamic/routes.yml: routers, door and services of each declared project.

    Args:
        node_urls: where each node's proxy listens, by host; the site's own private addresses by default.
        door: address of the entry point where Traefik asks the door.
    """
    urls = node_urls or {node.host: site.node_url(node.host) for node in site.nodes}
    return render(
        "traefik/gateway/routes.yml",
        domain=site.domain,
        check=f"http://{door}/check",
        health_interval_s=site.traefik.health_interval_s,
        health_timeout_s=site.traefik.health_timeout_s,
        routes=[_route(project, urls[project.node]) for project in site.projects],
    )


def _route(project: Project, node_url: str) -> dict[str, object]:
    return {
        "project": project.name,
        "path": names.path(project.name),
        "rule": names.rule(project.name),
        "node_url": node_url,
        "cookie": names.node_cookie(project.name),
    }

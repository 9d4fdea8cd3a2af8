"""Public routes and logins of the projects, rendered from the inventory. Pure."""

from __future__ import annotations

from fleet import Project, Site, names
from fleet.logins import htpasswd
from steps.files import render

STUDIOS_PORT = 8080


def routes(site: Site, node_urls: dict[str, str] | None = None) -> str:
    """dynamic/routes.yml: one router, login and service for each declared project; holds password hashes.

    Args:
        node_urls: where each node's proxy listens, by host; the site's own private addresses by default.
    """
    urls = node_urls or {
        node.host: f"http://{site.wg_address(node.host)}:{STUDIOS_PORT}" for node in site.nodes
    }
    return render(
        "traefik/gateway/routes.yml",
        domain=site.domain,
        health_interval_s=site.traefik.health_interval_s,
        health_timeout_s=site.traefik.health_timeout_s,
        routes=[_route(site, project, urls[project.node]) for project in site.projects],
    )


def _route(site: Site, project: Project, node_url: str) -> dict[str, object]:
    return {
        "project": project.name,
        "path": names.path(project.name),
        "rule": names.rule(project.name),
        "node_url": node_url,
        "cookie": names.node_cookie(project.name),
        "logins": [htpasswd(site, project.name, user) for user in project.users],
    }

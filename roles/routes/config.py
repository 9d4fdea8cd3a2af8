"""Public routes and logins of the projects, rendered from the inventory. Pure."""

from __future__ import annotations

from fleet import Site, names
from fleet.logins import htpasswd
from steps.files import render

STUDIOS_PORT = 8080


def routes(site: Site, node_urls: dict[str, str] | None = None) -> str:
    """dynamic/routes.yml: one router and one service for each declared project.

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
        routes=[
            {
                "project": project.name,
                "path": names.path(project.name),
                "rule": names.rule(project.name),
                "node_url": urls[project.node],
                "cookie": names.node_cookie(project.name),
            }
            for project in site.projects
        ],
    )


def logins(site: Site) -> str:
    """dynamic/logins.yml: the login of each project, as bcrypt hashes."""
    return render(
        "traefik/gateway/logins.yml",
        logins=[
            {"project": project.name, "users": [htpasswd(site, project.name, user) for user in project.users]}
            for project in site.projects
        ],
    )

"""What a studio container tells the node's Traefik. Pure.

Router and service of a project are defined by each of its containers: Traefik drops a router that two
containers define differently. So nothing here may depend on slot, image or revision, except the metrics,
which belong to the one container.
"""

from __future__ import annotations

from fleet import names

# Not the site's knobs: while they change, old and new containers would disagree about their service.
HEALTH_INTERVAL, HEALTH_TIMEOUT = "1s", "5s"


def traefik_labels(project: str, slot: int) -> dict[str, str]:
    """Traefik's labels of a studio container, without a host name: the gateway's health checks have none."""
    name, path = names.router(project), names.path(project)
    return {
        "traefik.enable": "true",
        "traefik.docker.network": names.network(project),
        **_router(name, names.rule(project), "studios", f"{name}-prefix"),
        f"traefik.http.middlewares.{name}-prefix.stripprefix.prefixes": path,
        **_balancer(project),
        **_metrics(project, slot),
    }


def _router(name: str, rule: str, entry_point: str, middleware: str) -> dict[str, str]:
    prefix = f"traefik.http.routers.{name}"
    return {
        f"{prefix}.rule": rule,
        f"{prefix}.entrypoints": entry_point,
        f"{prefix}.middlewares": middleware,
        f"{prefix}.service": name,
    }


def _balancer(project: str) -> dict[str, str]:
    prefix = f"traefik.http.services.{names.router(project)}.loadbalancer"
    cookie = f"{prefix}.sticky.cookie"
    return {
        f"{prefix}.server.port": "8888",
        f"{prefix}.healthcheck.path": "/health/ready",
        f"{prefix}.healthcheck.interval": HEALTH_INTERVAL,
        f"{prefix}.healthcheck.timeout": HEALTH_TIMEOUT,
        f"{cookie}.name": names.gpu_cookie(project),
        f"{cookie}.path": names.path(project),
        f"{cookie}.secure": "true",
        f"{cookie}.httponly": "true",
        f"{cookie}.samesite": "lax",
    }


def _metrics(project: str, slot: int) -> dict[str, str]:
    """One address for each slot: a balancer would mix the counters of all."""
    # Underscores, which no project's name has: `vv-a-0` may be a project's own router.
    name = f"vv_{project}_{slot}_metrics"
    return {
        **_router(name, f"Path(`/metrics/{project}/{slot}`)", "metrics", name),
        f"traefik.http.middlewares.{name}.replacepath.path": "/metrics",
        f"traefik.http.services.{name}.loadbalancer.server.port": "9100",
    }

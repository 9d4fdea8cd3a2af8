"""The node proxy's Traefik and the read-only Docker proxy in front of its socket. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from fleet import Node, Site
from steps.files import render

DIRECTORY = "/etc/vibevoice/traefik"
DOCKER_PROXY = "/etc/vibevoice/docker-proxy"
SOCKET_DIRECTORY = "/run/vibevoice/docker-proxy"
SOCKET = f"{SOCKET_DIRECTORY}/docker.sock"
# The host's /run inside the filter's container.
HOST_RUN = "/host/run"
# The host's /run as the filter sees it: mounted alone, the socket would be the one of the filter's own start,
# and nobody listens on that once Docker's socket has been made anew.
RUN = "/host/run"


@dataclass(frozen=True)
class Layout:
    """Where the node's Traefik listens, its files, and the socket it asks Docker through."""

    studios: str
    metrics: str
    internal: str = "127.0.0.1:8082"
    directory: str = DIRECTORY
    socket: str = SOCKET


def layout(site: Site, node: Node) -> Layout:
    """The node's own: on its private address alone."""
    address = site.wg_address(node.host)
    return Layout(studios=f"{address}:8080", metrics=f"{address}:8081")


def static(site: Site, where: Layout) -> str:
    """traefik.yml of a node."""
    knobs = site.traefik
    return render(
        "traefik/node/traefik.yml",
        site=site.name,
        gateway=site.wg_address(site.gateway.host),
        studios=where.studios,
        metrics=where.metrics,
        internal=where.internal,
        directory=where.directory,
        socket=where.socket,
        log_level=knobs.log_level,
        read_timeout_s=knobs.read_timeout_s,
        idle_timeout_s=knobs.idle_timeout_s,
        drain_s=knobs.drain_s,
        throttle_ms=knobs.throttle_ms,
    )


def dynamic() -> str:
    """dynamic/node.yml: ping, status and metrics."""
    return render("traefik/node/node.yml")


def again() -> str:
    """dynamic/again.yml: what the static configuration refers to, so it lies there before Traefik starts."""
    return render("traefik/node/again.yml")


def haproxy(socket: str = SOCKET, engine: str = f"{RUN}/vibevoice/docker.sock") -> str:
    """haproxy.cfg: the few questions that Traefik asks Docker, and nothing else."""
    return render("node_proxy/haproxy.cfg", socket=socket, engine=engine)

"""A GPU host's proxy: Traefik, which finds studios by their labels, and the filter before Docker."""

from __future__ import annotations

import hashlib

from pyinfra.api import deploy

from fleet import Node, Site, names
from roles.node_proxy import config
from steps.beside import SHARES_LABEL, Serving, container_beside, port
from steps.containers import HARDENED, Container, container
from steps.files import File, place, render
from steps.shell import run
from steps.traefik import dynamic

# Nobody: Traefik needs no right on a node, and its ports are above 1023.
USER = "65532"
TMPFILES = "/etc/tmpfiles.d/vibevoice-docker-proxy.conf"


@deploy("Node proxy")
def node_proxy(site: Site, member: Node) -> None:
    """Run the Docker filter and Traefik; a changed Traefik starts beside the old one."""
    *first, static = files(site, member)
    place(name="Configure the Docker filter, and what is asked again", files=[*first, again()])
    run(
        name="Make the folders of the filtered socket",
        commands=[f"systemd-tmpfiles --create {TMPFILES} && mkdir -p {config.DIRECTORY}/dynamic"],
        unless=f"[ -d {config.SOCKET_DIRECTORY} ] && [ -d {config.DIRECTORY}/dynamic ]",
    )
    container(name="Run the Docker filter", spec=docker_proxy(site))
    container_beside(
        name="Run the node's Traefik",
        spec=traefik(site, member),
        serving=serving(site, member, config.layout(site, member)),
        files=[static],
        drain_s=site.traefik.drain_s,
    )
    dynamic(
        name="Configure ping, status and metrics",
        part="node",
        files=[shared()],
        directory=f"{config.DIRECTORY}/dynamic",
        container=names.NODE_PROXY,
    )


def files(site: Site, member: Node) -> list[File]:
    """What filter and, last, Traefik read at their start."""
    return [
        File(TMPFILES, render("node_proxy/tmpfiles.conf", directory=config.SOCKET_DIRECTORY, group=USER)),
        File(f"{config.DOCKER_PROXY}/haproxy.cfg", config.haproxy()),
        File(f"{config.DIRECTORY}/traefik.yml", config.static(site, config.layout(site, member))),
    ]


def again() -> File:
    """What Traefik's static configuration refers to; it watches the folder, so this may change under it."""
    return File(f"{config.DIRECTORY}/dynamic/again.yml", config.again())


def shared() -> File:
    """What the node's Traefik serves besides the studios."""
    return File(f"{config.DIRECTORY}/dynamic/node.yml", config.dynamic())


def _digest(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


def docker_proxy(site: Site) -> Container:
    """The filter: without a network, and with Docker's socket, which only root may open."""
    return Container(
        name=names.DOCKER_PROXY,
        image=site.images.haproxy,
        command=["haproxy", "-f", f"{config.DOCKER_PROXY}/haproxy.cfg"],
        network="none",
        mounts=[
            f"{config.DOCKER_PROXY}:{config.DOCKER_PROXY}:ro",
            f"{config.SOCKET_DIRECTORY}:{config.SOCKET_DIRECTORY}",
            f"/run:{config.RUN}:ro",
        ],
        labels={"vibevoice.site": site.name},
        options=[*HARDENED, "--user", "0:0"],
        also=[_digest(config.haproxy())],
    )


def traefik(site: Site, member: Node) -> Container:
    """The node's Traefik, on the private address alone."""
    return Container(
        name=names.NODE_PROXY,
        image=site.images.traefik,
        command=[f"--configFile={config.DIRECTORY}/traefik.yml"],
        network="host",
        mounts=[
            f"{config.DIRECTORY}:{config.DIRECTORY}:ro",
            f"{config.SOCKET_DIRECTORY}:{config.SOCKET_DIRECTORY}:ro",
        ],
        labels={"vibevoice.site": site.name, SHARES_LABEL: "yes"},
        options=[*HARDENED, "--user", f"{USER}:{USER}", "--stop-timeout", str(site.traefik.grace_s)],
        also=[_digest(config.static(site, config.layout(site, member)))],
    )


def serving(site: Site, node: Node, where: config.Layout) -> Serving:
    """What a new Traefik has to serve: its own status, and every studio that the old one knows."""
    studios = [f"{names.path(project.name)}/health/live" for project in site.projects_on(node.host)]
    return Serving(
        outer=[port(where.studios), port(where.metrics)],
        open=[port(where.internal)],
        asks=[[f"http://{where.internal}/ping"], *([f"http://{where.studios}{path}"] for path in studios)],
    )

"""What the gateway runs: the image registry on the private network, and Traefik in front of the world."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from pyinfra.api import deploy

from fleet import Gateway, Site, names
from roles.gateway import config
from steps.beside import SHARES_LABEL, Serving, container_beside, port
from steps.containers import HARDENED, Container, container
from steps.files import Directory, File, directories, place, render
from steps.traefik import dynamic

REGISTRY = "/etc/vibevoice/registry"
ACME_SECRETS = f"{config.DIRECTORY}/acme"
# Collecting garbage stops requests for milliseconds, on a gateway of one core for all of them. Four times as
# rarely costs some 50 MB: with 500 requests a second 1 collection a second instead of 7.
GARBAGE = {"GOGC": "400"}


@deploy("Gateway")
def gateway(site: Site, member: Gateway) -> None:
    """Run registry and Traefik; a changed Traefik starts beside the old one."""
    static = files(site)
    directories(name="Make Traefik's folders", directories=folders())
    place(name="Configure the image registry", files=_below(REGISTRY, static))
    container(name="Run the image registry", spec=registry(site, static))
    container_beside(
        name="Run Traefik",
        spec=traefik(site, static),
        serving=serving(site),
        files=_below(config.DIRECTORY, static),
        drain_s=site.traefik.drain_s,
    )
    dynamic(
        name="Configure what all projects share",
        part="site",
        files=[shared(site)],
        directory=f"{config.DIRECTORY}/dynamic",
        container=names.TRAEFIK,
    )


def folders() -> list[Directory]:
    """Where Traefik's configuration and certificates lie."""
    # Closed before a secret is written: password hashes and the DNS provider's keys live below.
    return [
        Directory(config.DIRECTORY, "700"),
        Directory(f"{config.DIRECTORY}/dynamic", "700"),
        Directory(config.CERTIFICATES, "700"),
    ]


def shared(site: Site) -> File:
    """What all projects share, reloaded whenever it changes."""
    content = config.dynamic(site, config.layout(site))
    return File(f"{config.DIRECTORY}/dynamic/site.yml", content, secret=True)


def files(site: Site) -> list[File]:
    """What registry and Traefik read at their start."""
    static = [
        File(f"{REGISTRY}/config.yml", render("gateway/registry.yml", address=site.registry_address)),
        File(f"{config.DIRECTORY}/traefik.yml", config.static(site, config.layout(site))),
    ]
    if site.acme.server_ca:
        static.append(File(f"{config.DIRECTORY}/acme-server-ca.pem", site.acme.server_ca.read_text()))
    # The DNS provider's keys are read from files: in the environment, `docker inspect` would show them.
    for name in site.acme.dns_env:
        static.append(File(f"{ACME_SECRETS}/{name}", site.secret("acme", name), secret=True))
    return static


def _below(folder: str, files: Sequence[File]) -> list[File]:
    return [file for file in files if file.dest.startswith(folder + "/")]


def _hashes(files: Sequence[File], below: str) -> list[str]:
    """What brings a new container when it changes: the files it only reads at its start."""
    return [hashlib.sha256(file.data).hexdigest() for file in _below(below, files)]


def registry(site: Site, files: Sequence[File]) -> Container:
    """The image registry, on the private address alone."""
    return Container(
        name=names.REGISTRY,
        image=site.images.registry,
        network="host",
        mounts=[f"{REGISTRY}:/etc/docker/registry:ro", "/srv/vibevoice/registry:/var/lib/registry"],
        labels={"vibevoice.site": site.name},
        options=HARDENED,
        also=_hashes(files, REGISTRY),
    )


def traefik(site: Site, files: Sequence[File]) -> Container:
    """Traefik, on the public addresses; root without any right but to bind low ports."""
    # For a while an old one and its successor share the certificates. Each has read them at its start; who
    # orders one writes them, and the old one looks for something to order only once a day.
    return Container(
        name=names.TRAEFIK,
        image=site.images.traefik,
        command=[f"--configFile={config.DIRECTORY}/traefik.yml"],
        network="host",
        mounts=[
            f"{config.DIRECTORY}:{config.DIRECTORY}:ro",
            f"{config.CERTIFICATES}:{config.CERTIFICATES}",
        ],
        labels={"vibevoice.site": site.name, SHARES_LABEL: "yes"},
        env=GARBAGE | {f"{name}_FILE": f"{ACME_SECRETS}/{name}" for name in site.acme.dns_env},
        options=[*HARDENED, "--cap-add", "NET_BIND_SERVICE", "--stop-timeout", str(site.traefik.grace_s)],
        also=_hashes(files, config.DIRECTORY),
    )


def serving(site: Site) -> Serving:
    """What a new Traefik has to serve: its own status, and the site's health under the certificate."""
    where = config.layout(site)
    # An address without a host is every address.
    host, _, https = where.websecure.rpartition(":")
    at = f"{site.domain}:{https}:{host or '127.0.0.1'}"
    return Serving(
        outer=[port(where.web), port(where.websecure)],
        inner=[port(where.door)],
        open=[port(where.internal)],
        asks=[
            [f"http://{where.internal}/ping"],
            ["--resolve", at, f"https://{site.domain}:{https}/vibevoice/health"],
        ],
    )

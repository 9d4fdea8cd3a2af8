"""The shell commands of a plan's steps. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from fleet import names
from roles.studios.plan import Replacement
from roles.studios.spec import PORT, USER, Studio
from steps.files import render

# A large model from a cold disk takes minutes.
READY_WITHIN_S = 600
# Traefik learns of a ready container by an event, within a second.
ROUTED_WITHIN_S = 30


def remove(container: str) -> str:
    """Stop a container, within its own grace, and remove it."""
    return f"docker stop {shlex.quote(container)} >/dev/null && docker rm {shlex.quote(container)} >/dev/null"


def remove_network(project: str) -> str:
    return f"docker network rm {shlex.quote(names.network(project))} >/dev/null"


def create_network(site: str, project: str) -> str:
    """A network without a way out, on which even studios of one project do not reach each other."""
    return shlex.join(
        [
            *("docker", "network", "create", "--internal"),
            *("--opt", "com.docker.network.bridge.enable_icc=false"),
            *("--label", f"vibevoice.site={site}", "--label", f"vibevoice.project={project}"),
            names.network(project),
        ]
    )


def pull(image: str) -> str:
    image = shlex.quote(image)
    return f"docker image inspect {image} >/dev/null 2>&1 || docker pull -q {image}"


def create(studio: Studio) -> str:
    """Make the studio's folder and start its container."""
    user, _, group = USER.partition(":")
    folder = shlex.quote(f"/srv/vibevoice/projects/{studio.project}")
    return (
        f"install -d -m 750 -o {user} -g {group} {folder} && {shlex.join(studio.arguments)} >/dev/null"
        f" && {start(studio)}"
    )


def start(studio: Studio) -> str:
    return f"docker start {shlex.quote(studio.name)} >/dev/null"


def replace(replacement: Replacement) -> list[str]:
    """One studio in another's place: the GPU has no room for both."""
    return [remove(replacement.old.name), create(replacement.new), wait([replacement.new])]


def wait(studios: Sequence[Studio]) -> str:
    """Wait until the studios are ready and the node's Traefik sends requests to them."""
    script = render(
        "studios/wait.sh",
        containers=shlex.join(studio.name for studio in studios),
        seconds=READY_WITHIN_S,
        routed_seconds=ROUTED_WITHIN_S,
        port=PORT,
    )
    return f"sh -c {shlex.quote(script)}"


def purge(project: str) -> str:
    """Delete what a project kept: jobs, audio, voices."""
    return f"rm -rf -- {shlex.quote(f'/srv/vibevoice/projects/{project}')}"

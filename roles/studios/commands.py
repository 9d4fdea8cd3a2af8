"""The shell commands of a plan's steps. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from fleet import names
from roles.studios.spec import LEAVING_S, PORT, USER, Studio
from steps.files import render

# A large model from a cold disk takes minutes.
READY_WITHIN_S = 600
# Traefik learns of a ready container by an event, within a second.
ROUTED_WITHIN_S = 30
# A studio ends its engine within a frame, and by force within 5 s.
LENT_WITHIN_S = 20
# Docker's own time to kill a studio that does not go.
KILLED_WITHIN_S = 45


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
    return f"{_make(studio)} && {start(studio)}"


def _make(studio: Studio) -> str:
    user, _, group = USER.partition(":")
    folder = shlex.quote(f"/srv/vibevoice/projects/{studio.project}")
    return f"install -d -m 750 -o {user} -g {group} {folder} && {shlex.join(studio.arguments)} >/dev/null"


def start(studio: Studio) -> str:
    return f"docker start {shlex.quote(studio.name)} >/dev/null"


def stand_beside(studios: Sequence[Studio]) -> str:
    """Start studios beside those whose place they are to take; none stays if one cannot be started."""
    script = render(
        "studios/stand_beside.sh", studios={shlex.quote(studio.name): _make(studio) for studio in studios}
    )
    return f"sh -c {shlex.quote(script)}"


def drop(studios: Iterable[Studio]) -> str:
    """Remove studios that stand beside those whose place they did not take."""
    return f"docker rm -f {shlex.join(studio.name for studio in studios)} >/dev/null"


def hand_over(old: str, new: Studio, later: Sequence[Studio], grace_s: int) -> str:
    """Have one studio take another's place; the other one is on its way out when this ends.

    Args:
        old: the container that has the GPU.
        new: stands beside it.
        later: the others that stand beside theirs and whose turn comes after; a failure ends them too.
        grace_s: seconds that the old one may pass on what others still wait for.
    """
    script = render(
        "studios/hand_over.sh",
        old=shlex.quote(old),
        new=shlex.quote(new.name),
        later=shlex.join(studio.name for studio in later),
        seconds=READY_WITHIN_S,
        routed_seconds=ROUTED_WITHIN_S,
        deaf_seconds=LENT_WITHIN_S,
        leaving_seconds=grace_s + LEAVING_S,
        port=PORT,
    )
    return f"sh -c {shlex.quote(script)}"


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


def wait_until_gone(containers: Sequence[str], grace_s: int) -> str:
    """Wait until containers that were told to stop have done so, at the latest when Docker kills them."""
    seconds = grace_s + LEAVING_S + KILLED_WITHIN_S
    script = render("studios/gone.sh", containers=shlex.join(containers), seconds=seconds)
    return f"sh -c {shlex.quote(script)}"


def missing(studios: Iterable[Studio]) -> str:
    """Print images and weights that studios need and the node does not have, one a line."""
    images = sorted({studio.image for studio in studios})
    weights = sorted({folder for studio in studios for folder in _mounted(studio) if "/weights/" in folder})
    return (
        f'for i in {shlex.join(images)}; do docker image inspect "$i" >/dev/null 2>&1 || echo "$i"; done; '
        f'for w in {shlex.join(weights)}; do [ -d "$w" ] || echo "$w"; done'
    )


def _mounted(studio: Studio) -> list[str]:
    """Folders of the node that a studio sees."""
    return [
        part.removeprefix("src=")
        for argument in studio.arguments
        if argument.startswith("type=bind,")
        for part in argument.split(",")
        if part.startswith("src=")
    ]


def images(registry: str) -> str:
    """Print the studios' images that the node has, by digest."""
    format_ = "{{.Repository}}@{{.Digest}}"
    return f"docker images --digests --format '{format_}' {shlex.quote(f'{registry}/vibevoice')}"


def remove_images(references: Sequence[str]) -> str:
    """Remove images; one that a container still uses stays."""
    return f"docker image rm {shlex.join(references)} >/dev/null 2>&1 || true"


def purge(project: str) -> str:
    """Delete what a project kept: jobs, audio, voices."""
    return f"rm -rf -- {shlex.quote(f'/srv/vibevoice/projects/{project}')}"

"""What things are called, on the hosts and in Traefik. Every name derives from the project's own."""

import hashlib
import json
import shlex
from collections.abc import Mapping

TRAEFIK = "vv-traefik"
REGISTRY = "vv-registry"
NODE_PROXY = "vv-node-proxy"
DOCKER_PROXY = "vv-docker-proxy"
# Where the gateway's Traefik asks whether a request may pass.
DOOR_ENTRY = "127.0.0.1:8083"
# Two of them: the second answers while the first is replaced, or dead.
DOORS = ("vv-door-a", "vv-door-b")
DOOR_ADDRESSES = ("127.0.0.1:8901", "127.0.0.1:8902")

# Path segments and container names that the site itself needs, or may need behind the same domain.
RESERVED = frozenset(
    [
        "acme",
        "admin",
        "api",
        "assets",
        "auth",
        "dashboard",
        "docker-proxy",
        "door-a",
        "door-b",
        "door",
        "gateway",
        "health",
        "login",
        "logout",
        "metrics",
        "node-proxy",
        "portal",
        "registry",
        "static",
        "traefik",
        "v1",
        "vibevoice",
    ]
)


def path(project: str) -> str:
    """The project's path below the domain, without a closing slash."""
    return f"/vibevoice/{project}"


def rule(project: str) -> str:
    """Traefik's rule for the project. A bare PathPrefix is not segment-aware: `p` would swallow `p10`."""
    return f"Path(`{path(project)}`) || PathPrefix(`{path(project)}/`)"


def router(project: str) -> str:
    """Name of the project's router, and of its service."""
    return f"vv-{project}"


def network(project: str) -> str:
    """Name of the internal Docker network of the project's studios."""
    return f"vv-{project}"


def container(project: str, slot: int, spec: str) -> str:
    """Name of the studio container on a slot; a changed specification is another container."""
    return f"vv-{project}-{slot}-{spec}"


def studios_filter(site: str, project: str | None = None) -> str:
    """Options of `docker ps` and the like that keep to the studios of a site, or of one of its projects."""
    which = "vibevoice.project" if project is None else f"vibevoice.project={project}"
    return shlex.join(["--filter", f"label=vibevoice.site={site}", "--filter", f"label={which}"])


def node_cookie(project: str) -> str:
    """Cookie by which the gateway keeps a browser on one node. Never the name of the other tier's."""
    return f"vv_{project}_node"


def gpu_cookie(project: str) -> str:
    """Cookie by which a node proxy keeps a browser on one container."""
    return f"vv_{project}_gpu"


def spec8(specification: Mapping[str, object]) -> str:
    """Eight hex digits of a specification's hash; the order of its keys does not matter."""
    canonical = json.dumps(specification, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()[:8]


def labels(*, site: str, project: str, slot: int, spec: str, image: str, revision: str) -> dict[str, str]:
    """The labels by which a studio container is found again and judged.

    site, project, slot: where it belongs. spec: `spec8` of everything that made it.
    image: its digest. revision: commit of the weights it mounts.
    """
    return {
        "vibevoice.site": site,
        "vibevoice.project": project,
        "vibevoice.slot": str(slot),
        "vibevoice.spec": spec,
        "vibevoice.image": image,
        "vibevoice.revision": revision,
    }

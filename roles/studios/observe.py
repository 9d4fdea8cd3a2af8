"""What a node holds at this moment: GPUs, studio containers, their networks, and the image to run."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from pyinfra.api import FactBase, FactProcessError

from fleet import drained, names
from steps.gpus import QUERY, uuids
from steps.images import digest_command

INSPECT = (
    '{"name":{{json .Name}},"status":{{json .State.Status}},"created":{{json .Created}},'
    '"health":{{if .State.Health}}{{json .State.Health.Status}}{{else}}""{{end}},'
    '"labels":{{json .Config.Labels}}}'
)


@dataclass(frozen=True)
class Found:
    """A studio container that exists: name, Docker's status and health, and what its labels say."""

    name: str
    status: str
    created: str
    project: str
    slot: int
    spec: str
    healthy: bool = False

    @property
    def running(self) -> bool:
        return self.status == "running"


@dataclass(frozen=True)
class Observed:
    """A node as found.

    Args:
        uuids: of its GPUs in PCI order; a slot is an index into it.
        containers: the site's studio containers, in whatever state.
        networks: the site's project networks, by project.
        digest: of the studio's image in the registry; empty where it is not there yet.
        drained: an operator's mark that nothing is to run here, as it was found; empty where there is none.
    """

    uuids: tuple[str, ...] = ()
    containers: tuple[Found, ...] = ()
    networks: frozenset[str] = frozenset()
    digest: str = ""
    drained: str = ""


class Studios(FactBase[Observed]):
    """The node as found. A missing driver, Docker or registry is an empty answer: it may come in this run."""

    def command(self, site: str, registry: str, repository: str, tag: str) -> str:
        mine = names.studios_filter(site)
        lines = [
            f"{QUERY} 2>/dev/null | sed 's/^/gpu /'",
            f"docker ps -aq {mine} 2>/dev/null"
            f" | xargs -r docker inspect --format {shlex.quote('container ' + INSPECT)}",
            f"[ ! -e {drained.PATH} ] || echo drained $(cat {drained.PATH} 2>/dev/null || echo yes)",
            f"docker network ls {mine} --format '{{{{.Name}}}}' 2>/dev/null | sed 's/^/network /'",
        ]
        if tag:
            lines.append(f"{digest_command(registry, repository, tag)} | sed 's/^/image /'")
        return "; ".join([*lines, "true"])

    @staticmethod
    def default() -> Observed:
        return Observed()

    def process(self, output: Iterable[str]) -> Observed:
        try:
            return read(output)
        except (ValueError, KeyError, TypeError) as error:
            raise FactProcessError(f"cannot read what Docker and nvidia-smi said: {error!r}") from error


def read(output: Iterable[str]) -> Observed:
    """The fact's lines, each with a word that says what it is."""
    rows: dict[str, list[str]] = {
        "gpu": [], "container": [], "network": [], "image": [], "drained": []
    }  # fmt: skip
    for line in output:
        kind, _, rest = line.partition(" ")
        if kind in rows:
            rows[kind].append(rest.strip())
    return Observed(
        uuids=uuids(rows["gpu"]),
        containers=tuple(map(_found, rows["container"])),
        networks=frozenset(name.removeprefix("vv-") for name in rows["network"]),
        digest=rows["image"][0] if rows["image"] else "",
        # A mark counts, whatever is in it.
        drained=(rows["drained"][0] or "yes") if rows["drained"] else "",
    )


def _found(row: str) -> Found:
    container = json.loads(row)
    labels = container["labels"]
    return Found(
        name=container["name"].lstrip("/"),
        status=container["status"],
        created=container["created"],
        project=labels["vibevoice.project"],
        slot=int(labels["vibevoice.slot"]),
        spec=labels["vibevoice.spec"],
        healthy=container["health"] == "healthy",
    )

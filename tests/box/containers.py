"""What Docker on a host says of the site's containers."""

from __future__ import annotations

import json
from dataclasses import dataclass

from testinfra.host import Host


@dataclass(frozen=True)
class Studio:
    """A studio container as `docker inspect` shows it; ``gpus`` are its CDI devices."""

    id: str
    name: str
    project: str
    slot: int
    running: bool
    gpus: tuple[str, ...]
    network: str


def studios(host: Host) -> list[Studio]:
    """Every studio container of the host, stopped ones too, by name."""
    ids = host.check_output("docker ps --all --quiet --no-trunc --filter label=vibevoice.project").split()
    if not ids:
        return []
    found = json.loads(host.check_output(f"docker inspect {' '.join(ids)}"))
    return sorted((_studio(one) for one in found), key=lambda studio: studio.name)


def ids(host: Host) -> dict[str, str]:
    """`{name: id}` of the host's studios."""
    return {studio.name: studio.id for studio in studios(host)}


def execute(host: Host, container: str, program: str, limit_s: int = 30) -> tuple[int, str]:
    """Run a Python program inside a container: its exit code, and what it printed."""
    done = host.run("timeout %s docker exec -i %s python -c %s", str(limit_s), container, program)
    return done.rc, (done.stdout + done.stderr).strip()


def _studio(raw: dict) -> Studio:
    labels, settings = raw["Config"]["Labels"], raw["HostConfig"]
    requests = settings["DeviceRequests"] or []
    return Studio(
        id=raw["Id"],
        name=raw["Name"].lstrip("/"),
        project=labels["vibevoice.project"],
        slot=int(labels["vibevoice.slot"]),
        running=raw["State"]["Running"],
        gpus=tuple(device for request in requests for device in request["DeviceIDs"] or []),
        network=settings["NetworkMode"],
    )

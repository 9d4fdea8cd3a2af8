"""What a host's status script printed, typed. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

GPU_FIELDS = "pci.bus_id,uuid,name,memory.used,memory.total,driver_version"


@dataclass(frozen=True)
class Gpu:
    """A GPU that the driver shows; memory in MiB, None where the driver does not say."""

    slot: int
    uuid: str
    name: str
    memory_used: int | None
    memory_total: int | None
    driver: str


@dataclass(frozen=True)
class Container:
    """A container of the site: a studio where `project` is not empty, else one of its services.

    Args:
        status, health, restarts, exit, oom, started, finished: Docker's words; no health without a check.
        uuids: of the GPUs it was made with.
        ready: what its /health/ready said; None where it said nothing.
    """

    id: str
    name: str
    status: str
    health: str
    restarts: int
    exit: int
    oom: bool
    started: str
    finished: str
    project: str
    slot: int
    spec: str
    image: str
    uuids: tuple[str, ...]
    ready: Mapping[str, Any] | None = None

    @property
    def running(self) -> bool:
        return self.status == "running"


@dataclass(frozen=True)
class Seen:
    """A host that has answered.

    Args:
        clock, uptime: seconds. load: over 1, 5 and 15 minutes.
        disks: folder to (size, free) in bytes.
        reboot: packages that ask for a reboot, "" for an unnamed one; None: none does.
        drained, lock: the texts of the files; empty where there is none.
        alarms: by name, the texts of their files.
        holds: lock file's stem (a GPU's UUID, or slot-N) to the container's id or the process that holds it.
        gpu_error, docker_error: why they cannot be asked.
        versions: lines of the site's history, the oldest first.
    """

    release: str
    kernel: str
    clock: int
    uptime: float
    load: tuple[float, ...]
    cpus: int
    disks: dict[str, tuple[int, int]]
    reboot: str | None
    drained: str
    lock: str
    alarms: dict[str, str]
    holds: dict[str, str]
    gpus: tuple[Gpu, ...]
    gpu_error: str
    docker_error: str
    containers: tuple[Container, ...]
    versions: tuple[dict[str, Any], ...] = field(default=())

    @property
    def studios(self) -> list[Container]:
        """By project and slot, the one that runs first."""
        found = [one for one in self.containers if one.project]
        return sorted(found, key=lambda one: (one.project, one.slot, not one.running, one.name))

    @property
    def services(self) -> list[Container]:
        return sorted((one for one in self.containers if not one.project), key=lambda one: one.name)


def parse(lines: Sequence[str], site: str) -> Seen:
    """The script's output. Raises ValueError where it is not the script's.

    Args:
        site: the site's name; containers of another are left out.
    """
    seen: dict[str, list[str]] = {}
    for line in lines:
        key, _, value = line.partition(" ")
        seen.setdefault(key, []).append(value.strip())

    def one(key: str) -> str:
        return seen.get(key, [""])[0]

    if not one("clock"):
        raise ValueError("its status script printed no time")
    ready = dict(map(_ready, seen.get("ready", [])))
    containers = [_container(json.loads(row), ready) for row in seen.get("container", []) if _of(row, site)]
    return Seen(
        release=one("release"),
        kernel=one("kernel"),
        clock=int(one("clock")),
        uptime=float(one("uptime") or 0),
        load=tuple(map(float, one("load").split())),
        cpus=int(one("cpus") or 1),
        disks=dict(map(_disk, seen.get("disk", []))),
        reboot=one("reboot") if "reboot" in seen else None,
        # An empty file drains a node as well.
        drained=(one("drained") or "{}") if "drained" in seen else "",
        lock=one("lock"),
        alarms=dict(_pair(row) for row in seen.get("alarm", [])),
        holds=dict(_pair(row) for row in seen.get("holds", [])),
        gpus=gpus(seen.get("gpu", [])),
        gpu_error=one("gpu_error"),
        docker_error=one("docker_error"),
        containers=tuple(containers),
        versions=tuple(found for row in seen.get("version", []) if (found := _version(row))),
    )


def gpus(rows: Sequence[str]) -> tuple[Gpu, ...]:
    """In PCI order, as slots count; nvidia-smi itself promises no order."""
    found = sorted(
        columns
        for row in rows
        if len(columns := [column.strip() for column in row.split(",")]) == len(GPU_FIELDS.split(","))
    )
    return tuple(
        Gpu(slot, uuid, name, _number(used), _number(total), driver)
        for slot, (_, uuid, name, used, total, driver) in enumerate(found)
    )


def _number(text: str) -> int | None:
    return int(text) if text.isdigit() else None


def _pair(row: str) -> tuple[str, str]:
    first, _, rest = row.partition(" ")
    return first, rest.strip()


def _disk(row: str) -> tuple[str, tuple[int, int]]:
    folder, size, free = row.split()
    return folder, (int(size), int(free))


def _version(row: str) -> dict[str, Any] | None:
    # A line that a full disk cut off is no reason to say nothing of the others.
    try:
        found = json.loads(row)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "n" in found else None


def _of(row: str, site: str) -> bool:
    return json.loads(row)["site"] in ("", site)


def _ready(row: str) -> tuple[str, Mapping[str, Any] | None]:
    """A container's id, and what its ready path said: an object and the HTTP status behind it."""
    id_, rest = _pair(row)
    body, _, _ = rest.rpartition(" ")
    try:
        said = json.loads(body)
    except ValueError:
        said = None
    return id_, said if isinstance(said, dict) else None


def _container(row: dict[str, Any], ready: Mapping[str, Mapping[str, Any] | None]) -> Container:
    devices = [device for request in row["devices"] or [] for device in request.get("DeviceIDs") or []]
    return Container(
        id=row["id"],
        name=row["name"].lstrip("/"),
        status=row["status"],
        health=row["health"],
        restarts=row["restarts"],
        exit=row["exit"],
        oom=row["oom"],
        started=row["started"],
        finished=row["finished"],
        project=row["project"],
        slot=int(row["slot"] or 0),
        spec=row["spec"],
        image=row["image"],
        uuids=tuple(device.partition("=")[2] for device in devices),
        ready=ready.get(row["id"]),
    )

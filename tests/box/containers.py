"""What Docker on a host says of the site's containers."""

from __future__ import annotations

import json
from dataclasses import dataclass

from testinfra.host import Host

ENGINE = "vibevoice.engine"


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


def spoken_by(host: Host, container: str) -> set[str]:
    """Ids of the jobs that a studio has begun to speak, as its log says."""
    lines = host.check_output("docker logs %s 2>&1", container).splitlines()
    said = (json.loads(line) for line in lines if line.startswith("{"))
    return {line["job"] for line in said if line.get("message") == "Speaking"}


def processes(host: Host, container: str, program: str) -> list[int]:
    """Process ids, as the host counts, of a container's processes whose command line has ``program``."""
    lines = host.check_output("docker top %s -eo pid,args", container).splitlines()[1:]
    return [int(line.split()[0]) for line in lines if program in line]


def kill_engine(host: Host, container: str) -> None:
    """As a fault of the driver's would end it; children of its own go with it."""
    pids = processes(host, container, ENGINE)
    assert pids, f"{container} has no engine to be killed"
    host.check_output(f"kill -KILL {' '.join(map(str, pids))}")


def first_process(host: Host, container: str) -> int:
    """The process id, as the host counts, of a container's first process."""
    return int(host.check_output("docker inspect -f '{{.State.Pid}}' %s", container))


def kill_web(host: Host, container: str) -> None:
    """The container's first process: Docker starts it again."""
    host.check_output(f"kill -KILL {first_process(host, container)}")


def memory(host: Host, container: str) -> int:
    """Bytes that a container's processes hold, what they share counted once, and its files in memory."""
    pids = processes(host, container, "")
    rollups = " ".join(f"/proc/{pid}/smaps_rollup" for pid in pids)
    # A process that ends meanwhile holds nothing.
    pss = host.run(f"cat {rollups} 2>/dev/null | awk '/^Pss:/ {{ sum += $2 }} END {{ print sum }}'").stdout
    files = host.check_output("docker exec %s df --output=used -B1 /tmp /dev/shm", container).split()[1:]
    return int(pss) * 1024 + sum(map(int, files))


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

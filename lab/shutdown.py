"""The lab's end: everything it started or made in the kernel is taken away again."""

from __future__ import annotations

from pathlib import Path

from lab import cgroup, hosts, network, process, root
from lab.paths import HOSTS, RUN


def is_down() -> bool:
    """Whether nothing of the lab is left in the machine's kernel."""
    return not (process.names() or cgroup.names() or network.exists() or _mounts())


def down() -> None:
    """Halt all hosts in order, end every program, remove network and cgroups."""
    hosts.halt_everything()
    for name in process.names():
        process.stop(name)
    network.down()
    cgroup.remove_top()
    if left := _mounts():
        raise RuntimeError(f"mounts of the lab are left: {', '.join(left)}")


def is_purged() -> bool:
    """Whether no host has a disk."""
    return not any(HOSTS.glob("*/upper"))


def purge() -> None:
    """Remove every host's disk, also of hosts the topology no longer has; keys and packages stay."""
    for top in HOSTS.iterdir():
        root.remove_disk(top)


def _mounts() -> list[str]:
    """Mount points of the lab in the machine's own namespace; there should never be any."""
    points = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    return [point for point in points if point.startswith((str(HOSTS), str(RUN)))]

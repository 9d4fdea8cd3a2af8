"""One cgroup per lab host: whatever runs in the host is in it, so nothing can be left behind."""

from __future__ import annotations

from pathlib import Path

from lab.process import wait_until

_TOP = "vibevoice-lab"


def hierarchy() -> Path | None:
    """Where the machine has the cgroup2 hierarchy mounted, None if nowhere."""
    for line in Path("/proc/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(place)
    return None


def make(name: str) -> Path:
    """The cgroup of the host ``name``, made if need be."""
    top = hierarchy()
    if top is None:
        raise RuntimeError("no cgroup2 hierarchy is mounted: mount -t cgroup2 none /sys/fs/cgroup/unified")
    group = top / _TOP / name
    group.mkdir(parents=True, exist_ok=True)
    return group


def pids(name: str) -> list[int]:
    """Every process of the host ``name``, of its containers too."""
    top = hierarchy()
    found: list[int] = []
    for procs in sorted((top / _TOP / name).rglob("cgroup.procs")) if top else []:
        try:
            found += [int(line) for line in procs.read_text().split()]
        except OSError:
            continue  # a cgroup that went away, or a threaded one, whose parent lists the process
    return found


def names() -> list[str]:
    """Hosts that have a cgroup, whether or not anything runs in it."""
    top = hierarchy()
    folder = top / _TOP if top else None
    return (
        sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder and folder.is_dir() else []
    )


def kill(name: str, limit_s: float = 15.0) -> None:
    """End every process of the host at once, as a power cut does, and remove its cgroup."""
    top = hierarchy()
    if top is None or not (top / _TOP / name).is_dir():
        return
    group = top / _TOP / name
    (group / "cgroup.kill").write_text("1")
    if not wait_until(lambda: _remove(group), limit_s):
        raise RuntimeError(f"{name}: processes {pids(name)} do not end")


def remove_top() -> None:
    """Remove the lab's own cgroup once all hosts are gone."""
    top = hierarchy()
    if top:
        _remove(top / _TOP)


def _remove(group: Path) -> bool:
    """Remove the cgroup and those below it; False while a process is still in one."""
    try:
        for child in [path for path in group.iterdir() if path.is_dir()]:
            _remove(child)
        group.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return not group.exists()

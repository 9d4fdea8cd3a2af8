"""What `status` shows to people: tables made of its answer. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from roles.status.report import Row

Table = tuple[str, tuple[str, ...], list[tuple[str, ...]]]
FOLDERS = ("/srv", "/var/lib/docker")


def tables(answer: Mapping[str, Any], now: float) -> list[Table | str]:
    """The answer as tables, what is wrong last, where a terminal shows it."""
    found: list[Table | str] = [
        ("Hosts", _HOSTS, [_host_row(row) for row in answer["hosts"]]),
        ("GPUs", _GPUS, [_gpu_row(row) for row in answer["gpus"]]),
        ("Studios", _STUDIOS, [_studio_row(row, now) for row in answer["studios"]]),
        ("Projects", _PROJECTS, [_project_row(row, bool(answer["versions"])) for row in answer["projects"]]),
        ("Versions", _VERSIONS, [_version_row(row) for row in answer["versions"]]),
    ]
    shown = [one for one in found if isinstance(one, str) or one[2]]
    shown.append(_certificate_words(answer["certificate"], answer["domain"]))
    if lock := answer["lock"]:
        since = f" for {span(now - lock['since'])}" if lock["since"] else ""
        what = f": {lock['what']}" if lock["what"] else ""
        shown.append(f"{lock['owner']} has held the site's lock{since}{what}.")
    wrong = [(one["where"], one["what"], one["do"]) for one in answer["wrong"]]
    shown.append(("Not as it should be", ("where", "what", "what to do"), wrong) if wrong else _well(answer))
    return shown


def _well(answer: Mapping[str, Any]) -> str:
    """Of the whole site, or of as much of it as a run with --limit has asked."""
    if not answer["not_asked"]:
        return "All is well."
    asked = ", ".join(row["host"] for row in answer["hosts"])
    return f"All is well on {asked}; not asked: {', '.join(answer['not_asked'])}."


_HOSTS = ("host", "", "release", "kernel", "up for", "load", "/srv free", "docker free", "services", "notes")
_GPUS = ("node", "slot", "GPU", "uuid", "memory (MiB)", "driver", "held by")
_STUDIOS = (
    "project",
    "node",
    "slot",
    "container",
    "image",
    "Docker",
    "for",
    "restarts",
    "studio",
    "engine",
    "paused",
)
_PROJECTS = ("project", "node", "studios", "jobs running", "waiting", "version", "address")
_VERSIONS = ("version", "when (UTC)", "who", "revision", "action", "changed")


def _host_row(row: Row) -> tuple[str, ...]:
    if not row["up"]:
        return (row["host"], "down", *[""] * 7, row["why"])
    free = [row["disks"].get(folder) for folder in FOLDERS]
    up = [one for one in row["services"] if one["status"] == "running"]
    down = [f"{one['name']} {one['status']}" for one in row["services"] if one not in up]
    notes = [row["drained"]["words"]] if row["drained"] else []
    if row["reboot_required"]:
        notes.append(f"reboot required {' '.join(row['reboot_for'])}".strip())
    notes += [f"alarm {name}" for name in row["alarms"]]
    return (
        row["host"],
        "drained" if row["drained"] else "up",
        row["release"],
        row["kernel"],
        span(row["uptime_s"]),
        f"{row['load'][0]:.1f} / {row['cpus']}" if row["load"] else "",
        *(_size(one) for one in free),
        ", ".join([f"{len(up)} up", *down]),
        "; ".join(notes),
    )


def _size(disk: Mapping[str, int] | None) -> str:
    return f"{disk['free'] / 2**30:.0f} GiB, {100 * disk['free'] // max(disk['size'], 1)} %" if disk else ""


def _gpu_row(row: Row) -> tuple[str, ...]:
    slot = "?" if row["slot"] is None else str(row["slot"])
    if row["missing"]:
        return (row["node"], slot, "missing", row["uuid"], "", "", row["held_by"])
    used, total = (("?" if row[key] is None else str(row[key])) for key in _MEMORY)
    return (row["node"], slot, row["name"], row["uuid"], f"{used} / {total}", row["driver"], row["held_by"])


_MEMORY = ("memory_used_mib", "memory_total_mib")


def _studio_row(row: Row, now: float) -> tuple[str, ...]:
    running = row["status"] == "running"
    docker = row["health"] or "running" if running else f"{row['status']} ({row['exit']})"
    return (
        row["project"],
        row["node"],
        str(row["slot"]),
        row["container"],
        row["image"].removeprefix("sha256:")[:12],
        docker,
        span(now - moment(row["since"])),
        str(row["restarts"]),
        row["state"] or ("silent" if running else ""),
        row["engine"],
        row["paused"],
    )


def _project_row(row: Row, versions: bool) -> tuple[str, ...]:
    running, waiting = (("?" if row[key] is None else str(row[key])) for key in ("running", "waiting"))
    # Nothing to compare: no studio is there, or the gateway was not asked for its versions.
    nothing = "?" if row["studios"] and versions else "-"
    version = nothing if row["version"] is None else str(row["version"])
    of = f"{row['studios']} of {row['declared']}"
    return (row["project"], row["node"], of, running, waiting, version, row["url"])


def _version_row(row: Row) -> tuple[str, ...]:
    at = str(row["at"] or "").replace("T", " ").rstrip("Z")
    revision = f"{row['revision'] or '?'}{' (changed)' if row['dirty'] else ''}"
    changed = ", ".join(row["changed"])
    return (str(row["n"]), at, str(row["who"] or ""), revision, str(row["action"] or ""), changed)


def _certificate_words(row: Mapping[str, Any], domain: str) -> str:
    if not row["ok"]:
        return f"Certificate of {domain}: {row['why']}."
    return f"Certificate of {domain}: {row['days']:.0f} days left, by {row['issuer']}."


def moment(docker: str) -> float:
    """Seconds since the epoch of Docker's timestamps, which have nine digits behind the second."""
    return datetime.fromisoformat(f"{docker[:19]}+00:00").timestamp() if docker else 0.0


def span(seconds: float) -> str:
    """A length of time in its largest unit: 50 s, 12 min, 3 h, 5 days."""
    for unit, name in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{max(0, seconds):.0f} s"

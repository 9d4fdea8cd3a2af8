"""What `status` answers: one JSON object, and the tables that are made of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from fleet import Gateway, Member, Node, Project, Site, drained
from fleet.outside import Certificate
from roles.lock.holder import Holder, read
from roles.status import history
from roles.status.facts import Container, Gpu, Seen
from roles.status.judge import Answers, judge

Row = dict[str, Any]
Table = tuple[str, tuple[str, ...], list[tuple[str, ...]]]
FOLDERS = ("/srv", "/var/lib/docker")


def report(site: Site, answers: Answers, certificate: Certificate | str, now: float) -> dict[str, Any]:
    """Everything there is to know, for programs.

    Args:
        answers: of the hosts of this run; a host that was not asked has none.
        certificate: as shown to visitors, or why not.
        now: seconds since the epoch.
    """
    asked = [member for member in site.members if member.host in answers]
    seen = {host: one for host, one in answers.items() if isinstance(one, Seen)}
    nodes = [member for member in asked if isinstance(member, Node)]
    gateway = seen.get(site.gateway.host)
    versions = gateway.versions if gateway else ()
    wrong = judge(site, answers, certificate)
    return {
        "site": site.name,
        "domain": site.domain,
        "at": datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "ok": not wrong,
        "wrong": [asdict(one) for one in wrong],
        "hosts": [_host(member, answers[member.host], now) for member in asked],
        "gpus": [row for node in nodes if node.host in seen for row in _gpus(node, seen[node.host])],
        "studios": [row for node in nodes if node.host in seen for row in _studios(node, seen[node.host])],
        "projects": [
            _project(project, seen.get(project.node), versions, site)
            for project in site.projects
            if project.node in answers
        ],
        "versions": [_version(one, before) for before, one in _pairs(versions)],
        "certificate": _certificate(certificate),
        "lock": _lock(gateway.lock) if gateway else None,
    }


def _host(member: Member, seen: Seen | str, now: float) -> Row:
    row: Row = {"host": member.host, "kind": "gateway" if isinstance(member, Gateway) else "node"}
    if isinstance(seen, str):
        return {**row, "up": False, "why": seen}
    mark = drained.read(seen.drained)
    return {
        **row,
        "up": True,
        "release": seen.release,
        "kernel": seen.kernel,
        "uptime_s": round(seen.uptime),
        "load": list(seen.load),
        "cpus": seen.cpus,
        "disks": {name: {"size": size, "free": free} for name, (size, free) in seen.disks.items()},
        "drained": {**asdict(mark), "words": mark.words(now)} if mark else None,
        "reboot_required": seen.reboot is not None,
        "reboot_for": (seen.reboot or "").split(),
        "alarms": sorted(seen.alarms),
        "services": [_container(one) for one in seen.services],
    }


def _container(one: Container) -> Row:
    keys = ("name", "status", "health", "restarts")
    return {key: getattr(one, key) for key in keys}


def _gpus(node: Node, seen: Seen) -> Iterator[Row]:
    for gpu in seen.gpus:
        yield {
            "node": node.host,
            "slot": gpu.slot,
            "uuid": gpu.uuid,
            "name": gpu.name,
            "memory_used_mib": gpu.memory_used,
            "memory_total_mib": gpu.memory_total,
            "driver": gpu.driver,
            "held_by": _holder(gpu, seen),
            "missing": False,
        }
    there = {gpu.uuid for gpu in seen.gpus}
    # The container that was made with a GPU remembers which one it was.
    lost = {uuid: one for one in seen.studios for uuid in one.uuids if uuid not in there}
    for place in range(node.gpus - len(seen.gpus)):
        uuid, one = list(lost.items())[place] if place < len(lost) else ("", None)
        yield {
            "node": node.host,
            "slot": one.slot if one else None,
            "uuid": uuid,
            "held_by": one.name if one and one.running else "",
            "missing": True,
        }


def _holder(gpu: Gpu, seen: Seen) -> str:
    """The container or process that holds a GPU's lock; on a machine without GPUs the lock is the slot's."""
    holder = seen.holds.get(gpu.uuid)
    if holder is None and (one := seen.holds.get(f"slot-{gpu.slot}")):
        holder = one
    named = {one.id: one.name for one in seen.containers}
    return named.get(holder or "", holder or "")


def _studios(node: Node, seen: Seen) -> Iterator[Row]:
    for one in seen.studios:
        said: Mapping[str, Any] = one.ready or {}
        yield {
            "project": one.project,
            "node": node.host,
            "slot": one.slot,
            "container": one.name,
            "image": one.image,
            "spec": one.spec,
            "status": one.status,
            "health": one.health,
            "restarts": one.restarts,
            "exit": one.exit,
            "since": one.started if one.running else one.finished,
            "state": said.get("state", ""),
            "engine": said.get("engine", ""),
            "model": said.get("model", ""),
            "paused": said.get("paused", ""),
        }


def _project(project: Project, seen: Seen | None, versions: Sequence[history.Version], site: Site) -> Row:
    mine = [one for one in seen.studios if one.project == project.name] if seen else []
    # The project's studios share one store, so each of them speaks for all.
    said = next((one.ready for one in mine if one.ready), None)
    return {
        "project": project.name,
        "node": project.node,
        "url": site.url(project.name),
        "studios": sum(one.running for one in mine),
        "declared": project.gpus,
        "running": said.get("running") if said else None,
        "waiting": said.get("waiting") if said else None,
        "version": history.running(versions, project.name, mine) if seen else None,
    }


def _pairs(versions: Sequence[history.Version]) -> Iterable[tuple[history.Version | None, history.Version]]:
    return zip([None, *versions], versions, strict=False)


def _version(version: history.Version, before: history.Version | None) -> Row:
    row = {key: version.get(key) for key in ("n", "at", "who", "revision", "dirty", "action", "image")}
    return {**row, "changed": history.changed(version, before) if before else []}


def _certificate(found: Certificate | str) -> Row:
    if isinstance(found, str):
        return {"ok": False, "why": found}
    ends = datetime.fromtimestamp(found.ends, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"ok": True, "issuer": found.issuer, "ends": ends, "days": round(found.days, 1)}


def _lock(text: str) -> Row | None:
    """Who holds the site's lock; somebody, where the lock does not say."""
    if not text:
        return None
    holder = read(text) or Holder("somebody", 0, 0, "")
    return {"owner": holder.owner, "since": holder.since or None, "what": holder.what}


# --- for people --------------------------------------------------------------------------------------------


def tables(answer: Mapping[str, Any], now: float) -> list[Table | str]:
    """The answer as tables, what is wrong last, where a terminal shows it."""
    found: list[Table | str] = [
        ("Hosts", _HOSTS, [_host_row(row) for row in answer["hosts"]]),
        ("GPUs", _GPUS, [_gpu_row(row) for row in answer["gpus"]]),
        ("Studios", _STUDIOS, [_studio_row(row, now) for row in answer["studios"]]),
        ("Projects", _PROJECTS, [_project_row(row) for row in answer["projects"]]),
        ("Versions", _VERSIONS, [_version_row(row) for row in answer["versions"]]),
    ]
    shown = [one for one in found if isinstance(one, str) or one[2]]
    shown.append(_certificate_words(answer["certificate"], answer["domain"]))
    if lock := answer["lock"]:
        since = f" for {span(now - lock['since'])}" if lock["since"] else ""
        what = f": {lock['what']}" if lock["what"] else ""
        shown.append(f"{lock['owner']} has held the site's lock{since}{what}.")
    wrong = [(one["where"], one["what"], one["do"]) for one in answer["wrong"]]
    shown.append(("Not as it should be", ("where", "what", "what to do"), wrong) if wrong else "All is well.")
    return shown


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


def _project_row(row: Row) -> tuple[str, ...]:
    running, waiting = (("?" if row[key] is None else str(row[key])) for key in ("running", "waiting"))
    version = "?" if row["version"] is None else str(row["version"])
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

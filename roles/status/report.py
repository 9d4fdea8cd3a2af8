"""What `status` answers to programs: one JSON object. Pure."""

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
        "not_asked": [member.host for member in site.members if member.host not in answers],
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

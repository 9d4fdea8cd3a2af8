"""What the operator wants to read, checked against what there is. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fleet import Site, names
from steps.options import KEYS

SERVICES: Mapping[str, tuple[str, ...]] = {
    "traefik": (names.TRAEFIK,),
    "door": names.DOORS,
    "registry": (names.REGISTRY,),
    "node-proxy": (names.NODE_PROXY,),
    "docker-proxy": (names.DOCKER_PROXY,),
}
LINES, MOST_LINES = 200, 10_000
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class WrongWish(ValueError):
    """What was asked for is not there; the text names what is."""


@dataclass(frozen=True)
class Wish:
    """The lines to show.

    Args:
        project: whose studios; empty for none, or for all where only a job is named.
        containers: services' containers, by name.
        job: id; only lines that name it.
        since_s: not older than this; None: however old.
        lines: at most so many, the newest.
        hosts: where to look.
    """

    project: str
    containers: tuple[str, ...]
    job: str
    since_s: int | None
    lines: int
    hosts: tuple[str, ...]

    @property
    def studios(self) -> bool:
        """Whether studios are asked for."""
        return bool(self.project) or not self.containers


def read(site: Site, options: Mapping[str, Any]) -> Wish:
    """The wish that `--data` options say. Raises WrongWish with what there is instead."""
    text = {name: "" if options.get(name) is None else str(options[name]) for name in KEYS["ops/logs.py"]}
    projects, hosts = [one.name for one in site.projects], [one.host for one in site.members]
    _known("project", text["project"], projects)
    _known("service", text["service"], SERVICES)
    _known("host", text["host"], hosts)
    if not (text["project"] or text["service"] or text["job"]):
        raise WrongWish(
            f"Whose log? Say --data project=… ({_list(projects)}), --data service=… ({_list(SERVICES)}) "
            "or --data job=job_…."
        )
    if text["job"] and not re.fullmatch(r"job_[A-Za-z0-9_-]+", text["job"]):
        raise WrongWish(f"job={text['job']} is no job's id: those begin with job_.")
    return Wish(
        project=text["project"],
        containers=SERVICES[text["service"]] if text["service"] else (),
        job=text["job"],
        since_s=_seconds(text["since"]),
        lines=_count(text["lines"]),
        hosts=(text["host"],) if text["host"] else tuple(hosts),
    )


def _known(key: str, value: str, there: Iterable[str]) -> None:
    if value and value not in there:
        raise WrongWish(f"{key}={value}: there is none of that name. There are: {_list(there)}.")


def _list(there: Iterable[str]) -> str:
    return ", ".join(there) or "none"


def _seconds(text: str) -> int | None:
    if not text:
        return None
    found = re.fullmatch(r"(\d+)([smhd])", text)
    if not found:
        raise WrongWish(f"since={text}: how long ago? Say a number and a unit: 90s, 30m, 2h, 1d.")
    return int(found[1]) * UNITS[found[2]]


def _count(text: str) -> int:
    if not text:
        return LINES
    if not text.isdigit() or not 1 <= int(text) <= MOST_LINES:
        raise WrongWish(f"lines={text}: say a number from 1 to {MOST_LINES}.")
    return int(text)

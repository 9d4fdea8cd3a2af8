"""What a site has run: its last versions, each whole enough to be run again without a build. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from roles.studios.spec import Studio

PATH = "/srv/vibevoice/versions.jsonl"
KEPT = 5


@dataclass(frozen=True)
class Version:
    """A site as a deploy or a rollback left it.

    Args:
        n: counts up, and is never used twice.
        at: UTC, to the second.
        who: user@machine.
        revision: git commit that was deployed from; empty where there is no git. dirty: with changes besides.
        action: "deploy", or "rollback to 5".
        projects: the node and the studios of each.
    """

    n: int
    at: str
    who: str
    revision: str
    dirty: bool
    action: str
    projects: Mapping[str, Studios] = field(default_factory=dict)

    def as_json(self) -> str:
        """A line of the file."""
        return json.dumps(asdict(self), ensure_ascii=False)


@dataclass(frozen=True)
class Studios:
    """A project's studios on its node, by slot."""

    node: str
    model: str
    studios: tuple[Studio, ...]

    @property
    def image(self) -> str:
        """Digest of their image; empty where there are none."""
        return self.studios[0].image.rpartition("@")[2] if self.studios else ""

    @property
    def specs(self) -> tuple[tuple[int, str], ...]:
        return tuple((studio.slot, studio.spec) for studio in self.studios)


class Damaged(Exception):
    """The file says what nobody understands; the message names the line."""


def read(lines: Iterable[str]) -> tuple[Version, ...]:
    """The versions in a file's lines, oldest first. Raises Damaged."""
    found = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                found.append(_version(json.loads(line)))
            except (ValueError, KeyError, TypeError) as error:
                raise Damaged(f"{PATH}, line {number}: {error!r}") from error
    return tuple(found)


def _version(raw: dict[str, Any]) -> Version:
    projects = {
        name: Studios(one["node"], one["model"], tuple(map(_studio, one["studios"])))
        for name, one in raw["projects"].items()
    }
    head = {key: raw[key] for key in ("n", "at", "who", "revision", "dirty", "action")}
    return Version(**head, projects=projects)


def _studio(raw: dict[str, Any]) -> Studio:
    return Studio(**{**raw, "arguments": tuple(raw["arguments"])})


def follow(history: Sequence[Version], new: Version) -> tuple[Version, ...]:
    """The history once `new` runs: unchanged if that is what ran already, else the last of it and `new`.

    Args:
        new: its number is given here.
    """
    if history and history[-1].projects == new.projects:
        return tuple(history)
    number = history[-1].n + 1 if history else 1
    return (*history, replace(new, n=number))[-KEPT:]


class NoSuchVersion(Exception):
    """There is nothing to go back to; one sentence that says what there is."""


def earlier(history: Sequence[Version], project: str | None, number: int | None) -> Version:
    """The version to go back to.

    Args:
        project: the one that goes back; None: the site.
        number: which; None: the last in which it was another.

    Raises NoSuchVersion.
    """
    known = ", ".join(str(one.n) for one in history) or "none"
    if not history:
        raise NoSuchVersion(f"{PATH} knows no version yet: each deploy that changes a studio writes one.")
    if project is not None and all(project not in one.projects for one in history):
        names = sorted({name for one in history for name in one.projects})
        raise NoSuchVersion(f"No version has a project {project}. There are: {', '.join(names)}.")
    now = history[-1]
    if number is None:
        others = [one for one in history[:-1] if _differs(one, now, project)]
        if not others:
            raise NoSuchVersion(f"{project or 'The site'} has been the same in all versions ({known}).")
        return others[-1]
    for one in history:
        if one.n == number:
            if project is not None and project not in one.projects:
                raise NoSuchVersion(f"Version {number} had no {project} yet.")
            return one
    raise NoSuchVersion(f"There is no version {number} (any more). There are: {known}.")


def _differs(one: Version, now: Version, project: str | None) -> bool:
    if project is None:
        return any(
            one.projects.get(name) != now.projects[name] for name in now.projects if name in one.projects
        )
    return project in one.projects and one.projects[project] != now.projects.get(project)


def returned(now: Version, then: Version, project: str | None) -> dict[str, Studios]:
    """What each project runs after going back: as then, if it was there then and is now; else as now.

    A project that has come since stays, and one that has gone stays away: a rollback is of studios.

    Raises NoSuchVersion where one has moved since: its jobs are on another node now.
    """
    back = now.projects if project is None else [project]
    for name in sorted({*back} & {*now.projects} & {*then.projects}):
        here, there = now.projects[name].node, then.projects[name].node
        if here != there:
            raise NoSuchVersion(
                f"Version {then.n} had {name} on {there}; its jobs are on {here} now. Name a version from "
                "after the move (--data to=N; ops/status.py shows them), or move it back first (ops/move.py)."
            )
    return {
        name: then.projects[name] if name in back and name in then.projects else studios
        for name, studios in now.projects.items()
    }


def images(history: Sequence[Version]) -> frozenset[str]:
    """References of all images that a rollback may need."""
    return frozenset(
        studio.image for one in history for project in one.projects.values() for studio in project.studios
    )

"""The site's kept versions, beside what its containers say. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from roles.status.facts import Container

Version = Mapping[str, Any]
# What makes a project's studios what they are, by slot.
Specs = frozenset[tuple[int, str]]


def specs(version: Version, project: str) -> Specs:
    """A project's specifications in a version; empty where it has none there."""
    studios = _projects(version).get(project, {}).get("studios") or ()
    return frozenset((int(one["slot"]), str(one["spec"])) for one in studios)


def changed(version: Version, before: Version | None) -> list[str]:
    """The projects that this version changed, added or removed."""
    earlier = before or {}
    names = sorted(_projects(version) | _projects(earlier))
    return [name for name in names if _place(version, name) != _place(earlier, name)]


def running(versions: Sequence[Version], project: str, containers: Iterable[Container]) -> int | None:
    """The newest version that a project's running studios are of; None where they are of no kept one.

    Fewer studios than the version has are of it still: one that is gone is told of elsewhere.
    """
    live = frozenset((one.slot, one.spec) for one in containers if one.project == project and one.running)
    for version in reversed(versions):
        if live and live <= specs(version, project):
            return int(version["n"])
    return None


def _place(version: Version, project: str) -> tuple[str, Specs]:
    return str(_projects(version).get(project, {}).get("node", "")), specs(version, project)


def _projects(version: Version) -> dict[str, dict[str, Any]]:
    return version.get("projects") or {}

"""Snapshots of a repository, and the one that an operator means. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


class NotFound(Exception):
    """There is no such snapshot; the message says what there is."""


@dataclass(frozen=True)
class Snapshot:
    """A backup of one kind: its short id, when it was made (UTC), and on which host."""

    id: str
    at: datetime
    host: str

    @property
    def when(self) -> str:
        return self.at.strftime("%Y-%m-%d %H:%M")

    @property
    def row(self) -> list[str]:
        """As a line of a table."""
        return [self.id, self.when, self.host]

    def as_json(self) -> dict[str, str]:
        return {"id": self.id, "at": self.at.isoformat(timespec="seconds"), "host": self.host}


@dataclass(frozen=True)
class Summary:
    """What a backup was: of what, which snapshot; files and bytes in it, bytes that were new, seconds."""

    kind: str
    host: str
    snapshot: str
    files: int
    bytes: int
    added: int
    seconds: float


def read(text: str) -> list[Snapshot]:
    """The snapshots that `restic snapshots --json` lists, the oldest first."""
    found = [Snapshot(one["short_id"], _time(one["time"]), one["hostname"]) for one in _json(text, [])]
    return sorted(found, key=lambda one: one.at)


def choose(snapshots: Sequence[Snapshot], wanted: str, kind: str) -> Snapshot:
    """The one whose id begins so, or the latest. Raises NotFound."""
    if not snapshots:
        raise NotFound(f"The repository has no backup of {kind}. Is this the right repository?")
    if not wanted:
        return snapshots[-1]
    # A longer id than the short one means the same.
    meant = [one for one in snapshots if one.id.startswith(wanted) or wanted.startswith(one.id)]
    if len(meant) == 1:
        return meant[0]
    what = "is no backup" if not meant else "could be several backups"
    there = ", ".join(f"{one.id} ({one.when})" for one in snapshots[-5:])
    raise NotFound(f"snapshot={wanted} {what} of {kind}. The latest are {there}.")


def summary(kind: str, host: str, text: str) -> Summary:
    """What `backup save` printed."""
    said: dict[str, Any] = _json(text.strip().splitlines()[-1], {})
    return Summary(
        kind=kind,
        host=host,
        snapshot=said["snapshot_id"][:8],
        files=said["total_files_processed"],
        bytes=said["total_bytes_processed"],
        added=said["data_added"],
        seconds=round(said["total_duration"], 1),
    )


def _json(text: str, otherwise: Any) -> Any:
    return json.loads(text) if text.strip() else otherwise


def _time(text: str) -> datetime:
    """restic's time has nanoseconds and the zone of its host."""
    head, _, rest = text.partition(".")
    digits = len(rest) - len(rest.lstrip("0123456789"))
    zone = (rest[digits:] if rest else head[19:]) or "+00:00"
    return datetime.fromisoformat(head[:19] + zone.replace("Z", "+00:00")).astimezone(UTC)

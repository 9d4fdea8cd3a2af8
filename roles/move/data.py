"""A project's data on two nodes, compared; and what may be moved where. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fleet import Node, Site, drained, names

ROOT = "/srv/vibevoice/projects"
GIB = 2**30
# Files of the store's databases: whole only while no studio has them open.
DATABASE = (".db", ".db-wal", ".db-shm", ".db-journal")


def folder(project: str) -> str:
    """Where a node has a project's data."""
    return f"{ROOT}/{project}"


def arriving(project: str) -> str:
    """Where the new node gathers it until all is there. No project's name has a dot."""
    return f"{ROOT}/{project}.moving"


def receipt(project: str) -> str:
    """What the new node keeps once all is there, until the end: from where, and the store's fingerprint."""
    return f"{ROOT}/{project}.moved-here"


def aside(project: str, stamp: str) -> str:
    """Where the old node keeps it afterwards."""
    return f"{ROOT}/{project}.moved-{stamp}"


@dataclass(frozen=True)
class Entry:
    """A file, link or folder: "f", "l" or "d", bytes, time of its last change as find prints it."""

    kind: str
    size: int
    changed: str


Listing = dict[str, Entry]
LIST = r"find . -mindepth 1 -printf '%y %s %T@ %P\0'"


def read_listing(output: bytes) -> Listing:
    """What `LIST` printed, by path. Raises ValueError for what is no file, link or folder."""
    found: Listing = {}
    for row in output.decode(errors="surrogateescape").split("\0"):
        if not row:
            continue
        kind, size, changed, path = row.split(" ", 3)
        if kind not in "fld":
            raise ValueError(f"{path} is neither a file nor a folder. Remove it, then move again.")
        # A folder's size and time are those of its own list, which no two file systems keep alike.
        found[path] = Entry(kind, 0, "") if kind == "d" else Entry(kind, int(size), changed)
    return found


def to_copy(source: Listing, there: Listing, stopped: bool, doubtful: Iterable[str] = ()) -> list[str]:
    """Paths that have to travel, folders before what is in them.

    Args:
        stopped: whether no studio uses the source, so that its databases are whole.
        doubtful: what has to travel again, whatever it looks like.
    """
    again = set(doubtful)
    return sorted(
        path
        for path, entry in source.items()
        if (there.get(path) != entry or path in again) and (stopped or not path.endswith(DATABASE))
    )


def left_over(source: Listing, there: Listing) -> list[str]:
    """Paths that the source does not have any more, the deepest first."""
    return sorted((path for path in there if path not in source), reverse=True)


def size(listing: Listing, paths: Iterable[str] | None = None) -> int:
    """Bytes of the files, or of those with these paths."""
    return sum(listing[path].size for path in (listing if paths is None else paths))


def differing(source: str, there: str) -> list[str]:
    """Paths whose checksums are not the same in two outputs of sha256sum."""
    ours, theirs = set(source.splitlines()), set(there.splitlines())
    return sorted({line.split("  ", 1)[-1] for line in ours ^ theirs})


def progress(done: int, total: int, seconds: float) -> str:
    """ "1.2 GiB of 50.0 GiB, 84.0 MiB/s, 10 min left"."""
    rate = done / seconds if seconds > 0 else 0.0
    left = f", {max(1, round((total - done) / rate / 60))} min left" if rate and total > done else ""
    return f"{in_words(done)} of {in_words(total)}, {in_words(rate)}/s{left}"


def in_words(count: float) -> str:
    """Bytes, for people: "12.4 GiB"."""
    return f"{count / GIB:.1f} GiB" if count >= GIB else f"{count / 2**20:.1f} MiB"


@dataclass(frozen=True)
class Seen:
    """What a node has of a project.

    Args:
        data: bytes of its data; None where there is no store.
        store: fingerprint of the store's database.
        studios: its containers here. running: those that run.
        receipt: (from which node, fingerprint of the store then) of a move that has brought all data here.
        free: bytes that may still be written. drained: whether the node is drained.
        serves: whether the node's proxy runs.
    """

    data: int | None = None
    store: str = ""
    studios: tuple[str, ...] = ()
    running: tuple[str, ...] = ()
    receipt: tuple[str, str] | None = None
    free: int = 0
    drained: bool = False
    serves: bool = True


FINGERPRINT = "cat jobs.db jobs.db-wal 2>/dev/null | sha256sum | cut -c 1-64"


def question(site: str, project: str, proxy: str) -> str:
    """Shell that prints what a node has of a project; the name is a checked one."""
    mine = names.studios_filter(site, project)
    return (
        f"if [ -e {folder(project)}/jobs.db ]; then cd {folder(project)} && "
        f'echo "data $(du -sb . | cut -f 1)" && echo "store $({FINGERPRINT})"; fi; '
        f"docker ps --all {mine} --format 'studio {{{{.Names}}}} {{{{.State}}}}'; "
        f"[ ! -e {receipt(project)} ] || sed 's/^/receipt /' {receipt(project)}; "
        f"echo \"free $(df -PB1 {ROOT} | awk 'NR == 2 {{print $4}}')\"; "
        f"[ ! -e {drained.PATH} ] || echo 'drained yes'; "
        f"docker ps --filter name='^{proxy}$' --format 'serves yes'"
    )


def read_seen(lines: Iterable[str]) -> Seen:
    """The `Seen` that the lines of `question` describe."""
    rows: dict[str, list[str]] = {}
    for line in lines:
        key, _, value = line.partition(" ")
        rows.setdefault(key, []).append(value.strip())
    studios = [tuple(row.split(" ", 1)) for row in rows.get("studio", [])]
    return Seen(
        data=int(rows["data"][0]) if "data" in rows else None,
        store=rows.get("store", [""])[0],
        studios=tuple(name for name, _ in studios),
        running=tuple(name for name, status in studios if status in ("running", "restarting", "paused")),
        receipt=_receipt(rows["receipt"][0]) if "receipt" in rows else None,
        free=int(rows.get("free", ["0"])[0] or 0),
        drained="drained" in rows,
        serves="serves" in rows,
    )


def _receipt(text: str) -> tuple[str, str]:
    try:
        said = json.loads(text)
        return str(said["from"]), str(said["store"])
    except (ValueError, KeyError, TypeError):
        return "", ""


@dataclass(frozen=True)
class Move:
    """What is to be done: from which node; whether the data is there already, from a run that broke off."""

    old: str
    arrived: bool = False


def judge(site: Site, project: str, seen: Mapping[str, Seen]) -> Move | str | None:
    """The move, or why it cannot be; None where there is nothing to move."""
    new = site.project(project).node
    if missing := [node.host for node in site.nodes if node.host not in seen]:
        return (
            f"{', '.join(missing)} cannot be asked for {project}'s data. Run without --limit, all nodes up."
        )
    olds = [node.host for node in site.nodes if node.host != new and seen[node.host].data is not None]
    if not olds:
        return None if seen[new].data is not None else _nothing(site, project, new)
    if len(olds) > 1:
        return (
            f"{' and '.join(olds)} have data of {project}. Decide whose is right, put the other aside there: "
            f"mv {folder(project)} {aside(project, 'old')}"
        )
    return _one(site.node(new), project, olds[0], seen)


def _nothing(site: Site, project: str, new: str) -> str:
    return f"No node has data of {project}. Deploy: it begins with nothing on {new}."


def _one(new: Node, project: str, old: str, seen: Mapping[str, Seen]) -> Move | str:
    here, there = seen[new.host], seen[old]
    if here.drained:
        return f"{new.host} is drained. Undrain it first, or choose another node for {project}."
    if not here.serves:
        return (
            f"{new.host} is not deployed yet. Let the inventory say node={old} for {project}, deploy, then "
            "change the node and move."
        )
    if here.data is not None:
        # Copied whole, and nobody has gone on with the original since.
        if here.receipt == (old, there.store) and not there.running:
            return Move(old, arrived=True)
        return (
            f"Both {old} and {new.host} have data of {project}. Where {new.host}'s is of no use, put it "
            f"aside there, then move again: docker rm -f the studios of {project}; "
            f"mv {folder(project)} {aside(project, 'unused')}; rm -f {receipt(project)}"
        )
    need = (there.data or 0) + GIB
    if here.free < need:
        return (
            f"{new.host} has {here.free / GIB:.1f} GiB free, {project} needs {need / GIB:.1f} GiB there. "
            "Make room, or delete old jobs."
        )
    return Move(old)

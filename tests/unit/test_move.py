"""Whose data is moved where, what travels, and what is refused."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from roles.move import chosen
from roles.move.data import (
    GIB,
    LIST,
    Entry,
    Move,
    Seen,
    differing,
    judge,
    left_over,
    progress,
    read_listing,
    read_seen,
    size,
    to_copy,
)
from roles.preflight.judge import left_behind
from steps.options import Mistake
from tests.unit.inventories import inventory, site

OLD, NEW = "gpu-1.example.com", "gpu-2.lan"
HAS = Seen(data=3 * GIB, store="aa", studios=("vv-debate-3-ab",), running=("vv-debate-3-ab",), free=GIB)
EMPTY = Seen(free=100 * GIB)


@pytest.fixture
def moved(tmp_path: Path):
    """A site whose debate is declared on the second node."""
    whole = inventory(tmp_path)
    debate = whole["projects"][1]
    del debate["slots"]
    debate |= {"node": NEW, "gpus": 1}
    return site(tmp_path, whole)


def test_data_is_moved_from_where_it_is_to_where_the_inventory_says(moved) -> None:
    assert judge(moved, "debate", {OLD: HAS, NEW: EMPTY}) == Move(OLD)


def test_where_the_data_is_already_nothing_is_moved(moved) -> None:
    assert judge(moved, "debate", {OLD: EMPTY, NEW: HAS}) is None


def test_a_run_that_broke_off_after_the_copy_goes_on(moved) -> None:
    stopped = replace(HAS, running=())
    arrived = replace(HAS, receipt=(OLD, "aa"))
    assert judge(moved, "debate", {OLD: stopped, NEW: arrived}) == Move(OLD, arrived=True)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (EMPTY, EMPTY, "No node has data"),
        (HAS, replace(EMPTY, drained=True), "drained"),
        (HAS, replace(EMPTY, serves=False), "not deployed yet"),
        (HAS, replace(EMPTY, free=3 * GIB), "Make room"),
        # Two stores, and nothing says whose is right: one worked on after the copy, or copied from nowhere.
        (HAS, replace(HAS, receipt=None), "Both"),
        (replace(HAS, store="bb", running=()), replace(HAS, receipt=(OLD, "aa")), "Both"),
        (HAS, replace(HAS, receipt=(OLD, "aa")), "Both"),
    ],
)
def test_what_cannot_be_moved_is_refused(moved, old: Seen, new: Seen, words: str) -> None:
    found = judge(moved, "debate", {OLD: old, NEW: new})
    assert isinstance(found, str)
    assert words in found


def test_a_node_that_is_not_asked_may_have_the_data(moved) -> None:
    assert OLD in str(judge(moved, "debate", {NEW: EMPTY}))


def test_wrong_projects_and_nodes_are_refused_with_what_there_is(moved) -> None:
    assert chosen(moved, "debate", "").node == NEW
    assert chosen(moved, "debate", NEW).node == NEW
    for name, to, words in (
        ("", "", "podcast, debate"),
        ("talk", "", "talk"),
        ("debate", OLD, "Change its node"),
    ):
        with pytest.raises(Mistake, match=words):
            chosen(moved, name, to)


def test_a_deploy_does_not_leave_jobs_behind(moved) -> None:
    old, new = moved.nodes
    (finding,) = left_behind(moved, new, {OLD: {"podcast", "debate"}, NEW: set()})
    assert finding.severity == "error"
    assert OLD in finding.what
    assert "ops/move.py --data project=debate" in finding.remedy
    assert left_behind(moved, old, {OLD: {"podcast", "debate"}, NEW: set()}) == []
    assert left_behind(moved, new, {OLD: {"debate"}, NEW: {"debate"}}) == []
    assert left_behind(moved, new, {OLD: set(), NEW: set()}) == []


def _list(folder: Path) -> dict[str, Entry]:
    return read_listing(
        subprocess.run(["sh", "-c", LIST], cwd=folder, capture_output=True, check=True).stdout
    )


def _tar(source: Path, target: Path, paths: list[str]) -> None:
    names = b"".join(path.encode() + b"\0" for path in paths)
    send = "tar --format=posix --numeric-owner --no-recursion --null --files-from=- -cf -"
    sent = subprocess.run(["sh", "-c", send], cwd=source, input=names, capture_output=True, check=True).stdout
    subprocess.run(["tar", "--numeric-owner", "-xpf", "-"], cwd=target, input=sent, check=True)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "jobs/job 1").mkdir(parents=True)
    (source / "voices").mkdir()
    (source / "jobs/job 1/sound\nof it").write_bytes(b"x" * 1000)
    (source / "jobs.db").write_bytes(b"store")
    (source / "jobs.db-wal").write_bytes(b"wal")
    target.mkdir()
    return source, target


def test_databases_travel_only_once_nobody_has_them_open(folders: tuple[Path, Path]) -> None:
    source, target = folders
    first = to_copy(_list(source), _list(target), stopped=False)
    assert first == ["jobs", "jobs/job 1", "jobs/job 1/sound\nof it", "voices"]
    _tar(source, target, first)
    assert to_copy(_list(source), _list(target), stopped=False) == []
    second = to_copy(_list(source), _list(target), stopped=True)
    assert second == ["jobs.db", "jobs.db-wal"]
    assert size(_list(source), second) == len(b"storewal")
    _tar(source, target, second)
    assert to_copy(_list(source), _list(target), stopped=True) == []


def test_what_changed_or_broke_off_travels_again(folders: tuple[Path, Path]) -> None:
    source, target = folders
    _tar(source, target, to_copy(_list(source), _list(target), stopped=True))
    sound = "jobs/job 1/sound\nof it"
    (target / sound).write_bytes(b"x" * 300)
    assert to_copy(_list(source), _list(target), stopped=True) == [sound]
    _tar(source, target, [sound])
    # As long as before, and other content: its time says so; what read wrong once travels in any case.
    (source / sound).write_bytes(b"y" * 1000)
    assert to_copy(_list(source), _list(target), stopped=True) == [sound]
    assert to_copy(_list(source), _list(source), stopped=True, doubtful=["voices"]) == ["voices"]


def test_what_the_source_lost_goes_the_deepest_first(folders: tuple[Path, Path]) -> None:
    source, target = folders
    (target / "jobs/old").mkdir(parents=True)
    (target / "jobs/old/sound").touch()
    assert left_over(_list(source), _list(target)) == ["jobs/old/sound", "jobs/old"]


def test_what_is_no_file_is_not_moved() -> None:
    with pytest.raises(ValueError, match="socket"):
        read_listing(b"s 0 1.0 socket\0")


def test_checksums_name_the_file_that_differs() -> None:
    assert differing("aa  jobs/1\nbb  jobs/2\n", "aa  jobs/1\ncc  jobs/2\n") == ["jobs/2"]
    assert differing("aa  jobs/1\n", "") == ["jobs/1"]
    assert differing("aa  jobs/1\n", "aa  jobs/1\n") == []


def test_progress_says_how_long_it_takes() -> None:
    assert progress(10 * GIB, 50 * GIB, 100.0) == "10.0 GiB of 50.0 GiB, 102.4 MiB/s, 7 min left"
    assert progress(50 * GIB, 50 * GIB, 500.0) == "50.0 GiB of 50.0 GiB, 102.4 MiB/s"
    assert progress(0, 50 * GIB, 0.0) == "0.0 MiB of 50.0 GiB, 0.0 MiB/s"


def test_what_a_node_says_of_a_project_is_read() -> None:
    said = [
        "data 3000",
        "store aa",
        "studio vv-debate-0-ab running",
        "studio vv-debate-1-ab exited",
        'receipt {"from": "gpu-1", "store": "bb"}',
        "free 70",
        "serves yes",
    ]
    assert read_seen(said) == Seen(
        data=3000,
        store="aa",
        studios=("vv-debate-0-ab", "vv-debate-1-ab"),
        running=("vv-debate-0-ab",),
        receipt=("gpu-1", "bb"),
        free=70,
        serves=True,
    )
    assert read_seen(["free 70"]) == Seen(free=70, serves=False)

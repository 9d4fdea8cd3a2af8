"""Promises of a lab host's disk: what a killed run has left is never taken for a whole one."""

from pathlib import Path

import pytest

from lab import root


def _disk(top: Path) -> Path:
    for folder in ("upper/etc", "work", "root", "plain/docker", "plain/archives"):
        (top / folder).mkdir(parents=True)
    for mark in ("base", "identity", "running"):
        (top / mark).write_text("written")
    return top


def test_a_removed_disk_leaves_its_downloads_alone(tmp_path: Path) -> None:
    root.remove_disk(_disk(tmp_path))
    assert [str(path.relative_to(tmp_path)) for path in sorted(tmp_path.rglob("*"))] == [
        "plain",
        "plain/archives",
    ]


def test_a_removal_killed_at_its_first_folder_leaves_no_mark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(root.shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        root.remove_disk(_disk(tmp_path))
    assert not [mark for mark in ("base", "identity", "running") if (tmp_path / mark).exists()]

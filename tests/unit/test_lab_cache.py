"""Promises of the little internet's folders."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lab.internet.cache import CommandFailed, command, fresh, keep, key


def _writes(name: str, text: str) -> Callable[[Path], None]:
    def build(folder: Path) -> None:
        (folder / name).write_text(text)

    return build


def test_a_folder_is_built_once_for_the_same_inputs(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    assert keep(folder, "a", _writes("file", "first"))
    assert not keep(folder, "a", _writes("file", "second"))
    assert (folder / "file").read_text() == "first"


def test_changed_inputs_replace_the_folder_whole(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    keep(folder, "a", _writes("old", ""))
    assert keep(folder, "b", _writes("new", ""))
    assert not (folder / "old").exists()
    assert fresh(folder, "b")


def test_a_build_that_fails_leaves_the_old_folder_and_is_repeated(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    keep(folder, "a", _writes("file", "good"))

    def fails(new: Path) -> None:
        (new / "file").write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        keep(folder, "b", fails)
    assert (folder / "file").read_text() == "good"
    assert not fresh(folder, "b")
    assert keep(folder, "b", lambda new: None)


def test_a_key_notices_content_name_mode_and_links(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    script = tree / "script"
    script.write_text("one")
    seen = {key(tree)}
    script.write_text("two")
    seen.add(key(tree))
    script.chmod(0o755)
    seen.add(key(tree))
    script.rename(tree / "renamed")
    seen.add(key(tree))
    (tree / "link").symlink_to("renamed")
    seen.add(key(tree))
    assert len(seen) == 5
    assert key(tree) in seen


def test_a_failed_command_says_what_it_printed() -> None:
    with pytest.raises(CommandFailed, match="ended with 3:\nno such thing"):
        command("sh", "-c", "echo no such thing >&2; exit 3")


def test_a_download_is_tried_again(tmp_path: Path) -> None:
    once = f"test -e {tmp_path}/tried || {{ touch {tmp_path}/tried; exit 1; }}; echo fetched"
    assert command("sh", "-c", once, tries=2) == "fetched\n"

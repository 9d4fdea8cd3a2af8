"""Locks: written from a hub, exact to the byte."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from fleet.locks import Lock, LockedFile, WrongLock
from fleet.weights import HubError, pin
from lab.internet.hub_server import LARGE, Hub, Request

REPO = "lab/tiny"
REVISION = "d" * 40
WEIGHTS = b"\1" * (LARGE + 1)
FILES = {
    ".gitattributes": b"*.safetensors filter=lfs",
    "README.md": b"# Tiny",
    "config.json": b'{"a": 1}',
    "model.safetensors": WEIGHTS,
    "pytorch_model.bin": b"a pickle",
    "tokenizer/vocab.txt": b"a\nb\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A repository of the hub, with files that serving does not need."""
    for path, content in FILES.items():
        file = tmp_path / REPO / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    files = [LockedFile(path=path, size=len(c), sha256=_sha256(c)) for path, c in FILES.items()]
    Lock(repo=REPO, revision=REVISION, files=tuple(files)).write(tmp_path / "hub.json")
    return tmp_path


@pytest.fixture
def hub(folder: Path) -> Iterator[str]:
    """The lab's hub, serving that repository."""

    class Handler(Request):
        hub = Hub(folder, folder / "hub.json")

        def log_message(self, format: str, *args: object) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_branch_is_pinned_to_its_commit_and_its_files_to_their_bytes(hub: str) -> None:
    lock = pin(hub, REPO, "main")
    assert (lock.repo, lock.revision) == (REPO, REVISION)
    assert {file.path: file.sha256 for file in lock.files} == {
        path: _sha256(FILES[path]) for path in ("config.json", "model.safetensors", "tokenizer/vocab.txt")
    }
    assert lock.size == sum(len(FILES[file.path]) for file in lock.files)


def test_pickles_are_never_part_of_a_lock(hub: str) -> None:
    assert "pytorch_model.bin" not in {file.path for file in pin(hub, REPO, "main").files}


def test_a_file_that_is_not_the_one_listed_is_refused(hub: str, folder: Path) -> None:
    (folder / REPO / "config.json").write_bytes(b'{"a": 2}')
    with pytest.raises(HubError, match=r"config\.json: what came is not the file"):
        pin(hub, REPO, "main")


@pytest.mark.parametrize(("repo", "revision"), [("lab/none", "main"), (REPO, "none")])
def test_what_the_hub_does_not_have_is_said_plainly(hub: str, repo: str, revision: str) -> None:
    with pytest.raises(HubError, match=r"404\. Check the model's repo and revision"):
        pin(hub, repo, revision)


def test_a_hub_that_is_not_there_is_said_plainly() -> None:
    with pytest.raises(HubError, match=r"cannot be reached.*Check studio\.hub"):
        pin("http://127.0.0.1:9", REPO, "main")


def test_a_lock_is_read_as_it_was_written(hub: str, tmp_path: Path) -> None:
    lock = pin(hub, REPO, "main")
    lock.write(tmp_path / "weights" / "tiny.lock.json")
    text = (tmp_path / "weights" / "tiny.lock.json").read_text()
    assert Lock.read(tmp_path / "weights" / "tiny.lock.json") == lock
    assert json.loads(text)["revision"] == REVISION
    # One file of the model a line, so that a change reads well in git.
    assert len([line for line in text.splitlines() if "sha256" in line]) == len(lock.files)


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", "-rf", "a b", "a\nb", ""])
def test_a_locked_file_never_leads_out_of_its_folder(tmp_path: Path, path: str) -> None:
    lock = tmp_path / "lock.json"
    files = [{"path": path, "size": 1, "sha256": "a" * 64}]
    lock.write_text(json.dumps({"repo": REPO, "revision": REVISION, "files": files}))
    with pytest.raises(WrongLock):
        Lock.read(lock)

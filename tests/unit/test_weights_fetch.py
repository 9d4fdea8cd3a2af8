"""Weights are fetched by the real script and curl, from a small HTTP server in the Hub's layout."""

from __future__ import annotations

import hashlib
import re
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from steps.files import render

CONTENT = {"config.json": b"{}", "model-00001.safetensors": bytes(range(256)) * 400, "empty": b""}


class Hub(BaseHTTPRequestHandler):
    """Serves `CONTENT` with ranges; may break off in the middle, once."""

    def do_GET(self) -> None:
        server: Any = self.server
        name = self.path.removeprefix("/lab/tiny/resolve/abc/")
        body = server.content[name]
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        first = int(match[1]) if match else 0
        server.asked.append((name, first))
        if first >= len(body) > 0:
            self.send_error(416)
            return
        self.send_response(206 if match else 200)
        if match:
            self.send_header("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - first))
        self.end_headers()
        self.wfile.write(body[first:])

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: `asked` has it."""


@pytest.fixture
def hub() -> Iterator[Any]:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.content, server.asked = dict(CONTENT), []
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def fetch(hub: Any, folder: Path, lock_hash: str = "one") -> subprocess.CompletedProcess[str]:
    """Run the script for all of `CONTENT`."""
    script = render(
        "weights/fetch.sh",
        folder=str(folder),
        url=f"http://127.0.0.1:{hub.server_port}/lab/tiny/resolve/abc",
        marker=".complete",
        lock_hash=lock_hash,
    )
    rows = [f"{hashlib.sha256(body).hexdigest()} {len(body)} {name}" for name, body in CONTENT.items()]
    return subprocess.run(
        ["sh", "-c", script], input="\n".join(rows) + "\n", capture_output=True, text=True, check=False
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".complete"}


def test_a_fetched_folder_is_complete_read_only_and_named_last(hub: Any, tmp_path: Path) -> None:
    done = fetch(hub, tmp_path / "abc")
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "abc") == CONTENT
    assert (tmp_path / "abc/.complete").read_text() == "one\n"
    assert {path.stat().st_mode & 0o222 for path in (tmp_path / "abc").rglob("*")} == {0}
    assert [path.name for path in tmp_path.iterdir()] == ["abc"]


def test_an_interrupted_download_goes_on_where_it_stopped(hub: Any, tmp_path: Path) -> None:
    name = "model-00001.safetensors"
    (tmp_path / "abc.partial").mkdir()
    (tmp_path / f"abc.partial/{name}.part").write_bytes(CONTENT[name][:1000])
    assert fetch(hub, tmp_path / "abc").returncode == 0
    assert (name, 1000) in hub.asked
    assert (name, 0) not in hub.asked
    assert contents(tmp_path / "abc") == CONTENT


def test_remains_of_another_file_are_fetched_from_the_beginning(hub: Any, tmp_path: Path) -> None:
    name = "model-00001.safetensors"
    (tmp_path / "abc.partial").mkdir()
    (tmp_path / f"abc.partial/{name}.part").write_bytes(b"x" * 1000)
    assert fetch(hub, tmp_path / "abc").returncode == 0
    assert contents(tmp_path / "abc") == CONTENT


def test_a_file_that_is_not_the_locked_one_is_refused_by_name(hub: Any, tmp_path: Path) -> None:
    hub.content["config.json"] = b"{ }"
    done = fetch(hub, tmp_path / "abc")
    assert done.returncode == 1
    assert "config.json is not what the lock file says" in done.stderr
    assert not (tmp_path / "abc").exists()


def test_another_lock_of_the_same_revision_keeps_what_is_there(hub: Any, tmp_path: Path) -> None:
    fetch(hub, tmp_path / "abc")
    hub.asked.clear()
    done = fetch(hub, tmp_path / "abc", lock_hash="two")
    assert done.returncode == 0, done.stderr
    assert hub.asked == []
    assert (tmp_path / "abc/.complete").read_text() == "two\n"
    assert contents(tmp_path / "abc") == CONTENT

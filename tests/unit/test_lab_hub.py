"""Promises of the lab's model hub, asked over HTTP as curl and huggingface_hub ask."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer

import pytest
import requests

from fleet.locks import Lock, LockedFile
from lab.internet.hub_server import LARGE, Hub, Request

REPO = "lab/tiny"
REVISION = "c" * 40
FILES = {"config.json": b'{"a": 1}', "model.safetensors": bytes(range(256)) * (LARGE // 256 + 1)}
SHA256 = {path: hashlib.sha256(content).hexdigest() for path, content in FILES.items()}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("hub")
    (folder / REPO).mkdir(parents=True)
    for path, content in FILES.items():
        (folder / REPO / path).write_bytes(content)
    locked = tuple(LockedFile(path=p, size=len(c), sha256=SHA256[p]) for p, c in FILES.items())
    Lock(repo=REPO, revision=REVISION, files=locked).write(folder / "lock.json")

    class Handler(Request):
        hub = Hub(folder, folder / "lock.json")

        def log_message(self, format: str, *args: object) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_revision_lists_its_files_and_the_checksums_of_large_ones(hub: str) -> None:
    info = requests.get(f"{hub}/api/models/{REPO}/revision/main?blobs=true", timeout=5).json()
    assert info["sha"] == REVISION
    small, large = info["siblings"]
    assert large["lfs"] == {
        "sha256": SHA256["model.safetensors"],
        "size": len(FILES["model.safetensors"]),
        "pointerSize": 134,
    }
    assert "lfs" not in small
    assert small["size"] == len(FILES["config.json"])


def test_without_blobs_there_are_names_only(hub: str) -> None:
    info = requests.get(f"{hub}/api/models/{REPO}", timeout=5).json()
    assert info["siblings"] == [{"rfilename": path} for path in FILES]


@pytest.mark.parametrize("path", FILES)
def test_files_arrive_whole_and_name_their_commit(hub: str, path: str) -> None:
    answer = requests.get(f"{hub}/{REPO}/resolve/{REVISION}/{path}", timeout=5)
    assert answer.content == FILES[path]
    first = answer.history[0] if answer.history else answer
    assert first.headers["X-Repo-Commit"] == REVISION


def test_large_files_come_by_redirect_with_their_checksum(hub: str) -> None:
    url = f"{hub}/{REPO}/resolve/main/model.safetensors"
    answer = requests.head(url, timeout=5, allow_redirects=False)
    assert answer.status_code == 302
    assert answer.headers["X-Linked-ETag"] == f'"{SHA256["model.safetensors"]}"'


def test_a_broken_download_can_be_resumed(hub: str) -> None:
    content = FILES["model.safetensors"]
    url = f"{hub}/{REPO}/resolve/main/model.safetensors"
    rest = requests.get(url, headers={"Range": f"bytes={len(content) - 10}-"}, timeout=5)
    assert rest.status_code == 206
    assert rest.content == content[-10:]
    beyond = requests.get(url, headers={"Range": f"bytes={len(content)}-"}, timeout=5)
    assert beyond.status_code == 416


@pytest.mark.parametrize(
    "path",
    [f"/{REPO}/resolve/main/none", "/lab/other/resolve/main/config.json", f"/{REPO}/resolve/main/../x"],
)
def test_what_is_not_there_is_404(hub: str, path: str) -> None:
    assert requests.get(f"{hub}{path}", timeout=5).status_code == 404

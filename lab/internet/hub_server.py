"""Serve models in the Hub's URL layout: python hub_server.py FOLDER LOCK ADDRESS PORT.

Answers what huggingface_hub and curl ask of the real one:
  GET /api/models/<owner>/<name>[/revision/<revision>][?blobs=true]
  GET /api/models/<owner>/<name>/tree/<revision>
  GET, HEAD /<owner>/<name>/resolve/<revision>/<path>, with Range
As on the real Hub, only large files (LFS) come with a SHA-256, and by a redirect; the others have
git's own hash.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

LARGE = 10 * 1024 * 1024
CHUNK = 1024 * 1024
INFO = re.compile(r"^/api/models/(?P<repo>[^/]+/[^/]+)(/revision/(?P<revision>[^/]+))?$")
TREE = re.compile(r"^/api/models/(?P<repo>[^/]+/[^/]+)/tree/(?P<revision>[^/]+)$")
RESOLVE = re.compile(r"^/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)$")
LARGE_FILE = re.compile(r"^/lfs/(?P<sha256>[0-9a-f]{64})$")
RANGE = re.compile(r"^bytes=(\d+)-(\d*)$")


class Hub:
    """The one model there is: its files below ``folder``, its revision and checksums in ``lock``."""

    def __init__(self, folder: Path, lock: Path) -> None:
        locked = json.loads(lock.read_text())
        self.repo: str = locked["repo"]
        self.revision: str = locked["revision"]
        self.root = folder / self.repo
        self.files: dict[str, dict] = {file["path"]: file for file in locked["files"]}
        self.blobs = {path: _git_hash(self.root / path) for path in self.files}

    def has(self, repo: str, revision: str | None) -> bool:
        return repo == self.repo and revision in (None, "main", self.revision)

    def info(self, blobs: bool) -> dict:
        siblings = [self._sibling(path, blobs) for path in self.files]
        return {
            "_id": self.revision[:24], "id": self.repo, "modelId": self.repo, "sha": self.revision,
            "private": False, "gated": False, "disabled": False, "tags": [], "downloads": 0, "likes": 0,
            "siblings": siblings,
        }  # fmt: skip

    def tree(self) -> list[dict]:
        return [
            {
                "type": "file",
                "path": path,
                "size": file["size"],
                "oid": self.blobs[path],
                **self._lfs(path, "oid"),
            }
            for path, file in self.files.items()
        ]

    def etag(self, path: str) -> str:
        return self.files[path]["sha256"] if self.is_large(path) else self.blobs[path]

    def large(self, sha256: str) -> str | None:
        """Path of the large file with this checksum."""
        return next((p for p, f in self.files.items() if f["sha256"] == sha256 and self.is_large(p)), None)

    def _sibling(self, path: str, blobs: bool) -> dict:
        if not blobs:
            return {"rfilename": path}
        size = self.files[path]["size"]
        return {"rfilename": path, "size": size, "blobId": self.blobs[path], **self._lfs(path, "sha256")}

    def _lfs(self, path: str, name: str) -> dict:
        if not self.is_large(path):
            return {}
        file = self.files[path]
        return {"lfs": {name: file["sha256"], "size": file["size"], "pointerSize": 134}}

    def is_large(self, path: str) -> bool:
        return self.files[path]["size"] > LARGE


class Request(BaseHTTPRequestHandler):
    """One request to the hub."""

    protocol_version = "HTTP/1.1"
    hub: Hub

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        path = unquote(url.path)
        if match := TREE.match(path):
            self._json(match, self.hub.tree)
        elif match := INFO.match(path):
            self._json(match, lambda: self.hub.info(blobs="true" in parse_qs(url.query).get("blobs", [])))
        else:
            self.do_HEAD()

    def do_HEAD(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if match := RESOLVE.match(path):
            self._resolve(match)
        elif (match := LARGE_FILE.match(path)) and (file := self.hub.large(match["sha256"])):
            self._content(file)
        else:
            self._missing("EntryNotFound", "no such page")

    def _json(self, match: re.Match[str], answer) -> None:
        if not self.hub.has(match["repo"], match["revision"]):
            self._missing("RepoNotFound", f"no {match['repo']} at {match['revision'] or 'main'}")
            return
        self._send(HTTPStatus.OK, json.dumps(answer()).encode(), {"Content-Type": "application/json"})

    def _resolve(self, match: re.Match[str]) -> None:
        if not self.hub.has(match["repo"], match["revision"]):
            self._missing("RevisionNotFound", f"no {match['repo']} at {match['revision']}")
        elif match["path"] not in self.hub.files:
            self._missing("EntryNotFound", f"no file {match['path']}")
        elif self.hub.is_large(match["path"]):
            self._redirect(match["path"])
        else:
            self._content(match["path"])

    def _redirect(self, path: str) -> None:
        file = self.hub.files[path]
        headers = {
            "Location": f"/lfs/{file['sha256']}",
            "X-Repo-Commit": self.hub.revision,
            "X-Linked-Size": str(file["size"]),
            "X-Linked-ETag": f'"{file["sha256"]}"',
        }
        self._send(HTTPStatus.FOUND, b"", headers)

    def _content(self, path: str) -> None:
        size = self.hub.files[path]["size"]
        first, last, status = self._range(size)
        if first >= size > 0:
            self._send(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, b"", {"Content-Range": f"bytes */{size}"})
            return
        self.send_response(status)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(last - first + 1))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", f'"{self.hub.etag(path)}"')
        self.send_header("X-Repo-Commit", self.hub.revision)
        if status == HTTPStatus.PARTIAL_CONTENT:
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.end_headers()
        if self.command == "GET":
            self._copy(self.hub.root / path, first, last)

    def _range(self, size: int) -> tuple[int, int, HTTPStatus]:
        asked = RANGE.match(self.headers.get("Range", ""))
        if not asked:
            return 0, size - 1, HTTPStatus.OK
        last = int(asked[2]) if asked[2] else size - 1
        return int(asked[1]), min(last, size - 1), HTTPStatus.PARTIAL_CONTENT

    def _copy(self, path: Path, first: int, last: int) -> None:
        with path.open("rb") as source:
            source.seek(first)
            left = last - first + 1
            while left > 0 and (chunk := source.read(min(CHUNK, left))):
                self.wfile.write(chunk)
                left -= len(chunk)

    def _missing(self, code: str, message: str) -> None:
        headers = {"X-Error-Code": code, "X-Error-Message": message, "Content-Type": "application/json"}
        self._send(HTTPStatus.NOT_FOUND, json.dumps({"error": message}).encode(), headers)

    def _send(self, status: HTTPStatus, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _git_hash(path: Path) -> str:
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def main(folder: str, lock: str, address: str, port: str) -> None:
    Request.hub = Hub(Path(folder), Path(lock))
    ThreadingHTTPServer((address, int(port)), Request).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])

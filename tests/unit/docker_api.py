"""The answers of a Docker Engine that a proxy reads, on a Unix socket; an unknown question is a failure.

Only for what no lab host shows: what Traefik makes of labels while containers start, and what it asks for.
The fields are those of Engine 26.1.
"""

from __future__ import annotations

import json
import re
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

QUESTION = re.compile(r"(?:/v[0-9.]+)?(/[^?]*)")


@dataclass
class Engine:
    """What containers there are, and what was asked."""

    containers: list[dict[str, Any]] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def answer(self, path: str) -> Any:
        """The JSON to a path without its version; KeyError where Docker would have none for us."""
        if path == "/containers/json":
            return [{"Id": c["Id"], "Names": [c["Name"]], "State": "running"} for c in self.containers]
        for container in self.containers:
            if path == f"/containers/{container['Id']}/json":
                return container
        return {"/_ping": "OK", "/version": {"Version": "26.1.5", "ApiVersion": "1.45"}}[path]


def running(name: str, address: str, labels: Mapping[str, str], health: str = "healthy") -> dict[str, Any]:
    """`docker inspect` of a container at an address."""
    network = labels.get("traefik.docker.network", "bridge")
    return {
        "Id": name,
        "Name": f"/{name}",
        "State": {"Status": "running", "Running": True, "Health": {"Status": health}},
        "HostConfig": {"NetworkMode": network},
        "Config": {"Labels": dict(labels)},
        "NetworkSettings": {"Ports": {}, "Networks": {network: {"NetworkID": "1", "IPAddress": address}}},
    }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        engine: Engine = self.server.engine  # type: ignore[attr-defined]
        match = QUESTION.match(self.path)
        assert match is not None
        engine.asked.append((self.command, match[1]))
        self.send_response(200)
        self.send_header("Api-Version", "1.45")
        self.send_header("Content-Type", "application/json")
        if match[1] == "/events":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            engine.ended.wait()
            self.close_connection = True
            return
        body = json.dumps(engine.answer(match[1])).encode()
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_POST = do_DELETE = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: `asked` has it."""

    def address_string(self) -> str:
        return "unix"


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


@contextmanager
def docker_api(path: Path, *containers: dict[str, Any]) -> Iterator[Engine]:
    """A Docker Engine with these containers behind a socket."""
    server = _Server(str(path), _Handler)
    server.engine = engine = Engine(list(containers))  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield engine
    finally:
        engine.ended.set()
        server.shutdown()
        server.server_close()

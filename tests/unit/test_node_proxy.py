"""The node's Traefik and the filter before Docker, both real, with studios found by their labels."""

from __future__ import annotations

import random
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import urllib3

from roles.node_proxy import config
from roles.studios.labels import traefik_labels
from tests.unit.docker_api import docker_api, running
from tests.unit.examples import example_site
from tests.unit.traefik_process import Traefik, free_port, studio, traefik, wait_until

SITE = example_site()
# Studios listen on a fixed port, so each run of the tests takes addresses of its own.
LOOPBACK = f"127.{random.randint(1, 254)}.{random.randint(0, 255)}"


def labelled(project: str, slot: int, address: str, health: str = "healthy") -> dict[str, Any]:
    labels = traefik_labels(project, slot) | {"vibevoice.site": SITE.name}
    return running(f"vv-{project}-{slot}", address, labels, health)


@contextmanager
def filtered(folder: Path) -> Iterator[Path]:
    """The real haproxy between `engine.sock` and the socket it yields."""
    socket_path, configuration = folder / "docker.sock", folder / "haproxy.cfg"
    configuration.write_text(config.haproxy(str(socket_path), str(folder / "engine.sock")))
    haproxy = shutil.which("haproxy", path="/usr/sbin:/usr/bin")
    assert haproxy, "haproxy is missing: see tests/packages.txt"
    checked = subprocess.run(
        [haproxy, "-c", "-f", configuration], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    assert "WARNING" not in checked.stderr
    process = subprocess.Popen([haproxy, "-f", configuration, "-db"], stderr=subprocess.DEVNULL)
    try:
        wait_until(socket_path.exists, 10, "haproxy has no socket")
        yield socket_path
    finally:
        process.kill()
        process.wait()


@contextmanager
def proxy(folder: Path, docker: Path) -> Iterator[tuple[Traefik, config.Layout]]:
    """The node's real Traefik, asking Docker through a socket."""
    where = config.Layout(
        studios=f"127.0.0.1:{free_port()}",
        metrics=f"127.0.0.1:{free_port()}",
        internal=f"127.0.0.1:{free_port()}",
        directory=str(folder),
        socket=str(docker),
    )
    (folder / "dynamic").mkdir()
    (folder / "traefik.yml").write_text(config.static(SITE, where))
    (folder / "dynamic/node.yml").write_text(config.dynamic())
    (folder / "dynamic/again.yml").write_text(config.again())
    with traefik(folder / "traefik.yml", where.internal, folder / "log") as process:
        yield process, where


def get(entry_point: str, path: str, **options: Any) -> urllib3.BaseHTTPResponse:
    return urllib3.request("GET", f"http://{entry_point}{path}", redirect=False, retries=False, **options)


def test_studios_are_found_by_their_labels_through_the_filter(tmp_path: Path) -> None:
    containers = [
        labelled("p1", 0, f"{LOOPBACK}.2"),
        labelled("p1", 1, f"{LOOPBACK}.3"),
        labelled("p10", 2, f"{LOOPBACK}.4"),
        labelled("p11", 3, f"{LOOPBACK}.5", health="starting"),
        running("other", f"{LOOPBACK}.6", {"traefik.enable": "true"}),
    ]
    with (
        studio("p1-0", f"{LOOPBACK}.2", 8888),
        studio("p1-1", f"{LOOPBACK}.3", 8888),
        studio("p10-2", f"{LOOPBACK}.4", 8888),
        studio("p1-1's metrics", f"{LOOPBACK}.3", 9100),
        docker_api(tmp_path / "engine.sock", *containers) as engine,
        filtered(tmp_path) as docker,
        proxy(tmp_path, docker) as (running_traefik, where),
    ):
        wait_until(lambda: "vv-p10@docker" in running_traefik.routers(), 10, "no studio was found")

        names = {get(where.studios, "/vibevoice/p1/x").json()["name"] for _ in range(10)}
        assert names == {"p1-0", "p1-1"}
        assert get(where.studios, "/vibevoice/p10/x").json() | {"headers": {}} == {
            "name": "p10-2",
            "path": "/x",
            "headers": {},
        }
        # Not yet healthy, nobody's: away, which is what a client may ask again about.
        for path in ("/vibevoice/p11/", "/vibevoice/p1x/"):
            assert get(where.studios, path).status == 503
        # Another site's, no project's: not routed.
        for path in ("/other/", "/"):
            assert get(where.studios, path).status == 404

        cookie = get(where.studios, "/vibevoice/p1/").headers["Set-Cookie"]
        assert cookie.startswith("vv_p1_gpu=")
        assert set(cookie.split("; ")[1:]) == {"Path=/vibevoice/p1", "HttpOnly", "Secure", "SameSite=Lax"}
        pinned = {"Cookie": cookie.split(";")[0]}
        assert (
            len({get(where.studios, "/vibevoice/p1/", headers=pinned).json()["name"] for _ in range(10)}) == 1
        )

        metrics = get(where.metrics, "/metrics/p1/1").json()
        assert (metrics["name"], metrics["path"]) == ("p1-1's metrics", "/metrics")
        assert b"traefik_config_reloads_total" in get(where.metrics, "/metrics").data
        assert get(where.metrics, "/vibevoice/p1/").status == 404

        assert running_traefik.disabled() == []
        assert running_traefik.complaints() == []
        assert ("GET", "/events") in engine.asked


def test_a_docker_that_is_not_settled_yet_changes_no_route(tmp_path: Path) -> None:
    """A dockerd that was restarted does not know for seconds that its containers are healthy."""
    address, link = f"{LOOPBACK}.8", tmp_path / "engine.sock"
    link.symlink_to("docker-itself.sock")
    with (
        studio("p1-0", address, 8888),
        docker_api(tmp_path / "docker-itself.sock", labelled("p1", 0, address)) as engine,
        filtered(tmp_path) as docker,
        proxy(tmp_path, docker) as (running_traefik, where),
    ):
        wait_until(lambda: "vv-p1@docker" in running_traefik.routers(), 10, "no studio was found")
        link.unlink()
        engine.containers[:] = [labelled("p1", 0, address, health="starting")]
        engine.ended.set()
        end = time.monotonic() + 4
        while time.monotonic() < end:
            assert get(where.studios, "/vibevoice/p1/x").status == 200
            time.sleep(0.05)
        engine.containers[:] = [labelled("p1", 0, address), labelled("p2", 1, address)]
        engine.ended.clear()
        link.symlink_to("docker-itself.sock")
        wait_until(lambda: "vv-p2@docker" in running_traefik.routers(), 15, "Docker was not asked again")
        assert get(where.studios, "/vibevoice/p1/x").status == 200


FORBIDDEN = [
    ("POST", "/v1.45/containers/create"),
    ("POST", "/v1.45/containers/abc/json"),
    ("DELETE", "/v1.45/containers/abc"),
    ("GET", "/v1.45/containers/abc/archive?path=/etc/shadow"),
    ("GET", "/v1.45/containers/abc/logs?stdout=1"),
    ("GET", "/v1.45/containers/../images/json"),
    ("GET", "/v1.45/images/json"),
    ("GET", "/v1.45/secrets"),
    ("GET", "/v1.45/exec/abc/json"),
    ("GET", "/info"),
    ("CONNECT", "/_ping"),
]


@pytest.mark.parametrize(("method", "path"), FORBIDDEN)
def test_the_filter_lets_nothing_else_through(tmp_path: Path, method: str, path: str) -> None:
    with docker_api(tmp_path / "engine.sock") as engine, filtered(tmp_path) as docker:
        assert _status(docker, "GET", "/v1.45/version") == 200
        assert _status(docker, method, path) in (400, 403)
        assert engine.asked == [("GET", "/version")]


def _status(path: Path, method: str, target: str) -> int:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(str(path))
        client.sendall(f"{method} {target} HTTP/1.1\r\nHost: docker\r\nContent-Length: 0\r\n\r\n".encode())
        return int(client.recv(4096).split()[1])

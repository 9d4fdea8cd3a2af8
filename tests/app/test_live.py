"""The container's health check asks the web server, with nothing but sockets."""

import socket
from pathlib import Path

from running import Running
from starlette.testclient import TestClient
from vibevoice.api import application
from vibevoice.live import alive
from vibevoice.settings import Settings
from vibevoice.studio import STUCK_S, Studio


def test_a_serving_studio_is_alive(running: Running) -> None:
    assert alive(int(running.url.rsplit(":", 1)[1]))


def test_a_closed_port_is_not() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert not alive(port)


def test_a_studio_whose_jobs_nobody_looks_after_is_not(settings: Settings, tmp_path: Path) -> None:
    studio = Studio.from_settings(settings.model_copy(update={"data_dir": tmp_path}))
    client = TestClient(application(studio))
    assert client.get("/health/live").status_code == 200
    studio.runner.ticked -= STUCK_S + 1
    answer = client.get("/health/live")
    assert answer.status_code == 503
    assert "runner has stood still" in answer.json()["state"]
    # One that stops has let its runner end, and may have minutes of others' speech to pass on.
    studio.leaving.set()
    assert client.get("/health/live").status_code == 200

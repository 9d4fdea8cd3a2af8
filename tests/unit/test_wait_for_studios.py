"""A deploy waits until a studio's model is loaded, and says why if it never will be."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from steps.files import render
from tests.unit.echo_studio import Echo, echo_studio

# One healthy container at 127.0.0.1, in what docker itself would say.
DOCKER = """#!/bin/sh
case $1 in
inspect) echo running 0 healthy 127.0.0.1 ;;
logs) echo the last line of its log ;;
*) exit 64 ;;
esac
"""


@pytest.fixture
def studio() -> Iterator[Echo]:
    with echo_studio("podcast") as studio:
        yield studio


def says(studio: Echo, status: int, state: str, engine: str) -> None:
    # As the studio writes it.
    text = json.dumps({"state": state, "engine": engine}, separators=(",", ":"))
    studio.answers["/health/ready"] = (status, "application/json", text.encode())


def wait(studio: Echo, folder: Path) -> tuple[int, str]:
    """Exit code and complaints of the script, which gives a studio two seconds; the node's Traefik has the
    studio in its rotation."""
    port = int(studio.url.rpartition(":")[2])
    services = json.dumps([{"serverStatus": {f"http://127.0.0.1:{port}": "UP"}}], separators=(",", ":"))
    studio.answers["/api/http/services"] = (200, "application/json", services.encode())
    script = render("studios/wait.sh", containers="vv-podcast-0-s1", seconds=2, routed_seconds=2, port=port)
    # The proxy's API has a fixed port; here it is the studio's own.
    script = script.replace("127.0.0.1:8082", f"127.0.0.1:{port}")
    (folder / "docker").write_text(DOCKER)
    (folder / "docker").chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-c", script], env={"PATH": path}, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("engine", ["ready", "waiting", "asleep"])
def test_a_studio_whose_model_is_loaded_is_up(studio: Echo, tmp_path: Path, engine: str) -> None:
    says(studio, 200, "ready", engine)
    assert wait(studio, tmp_path) == (0, "")


@pytest.mark.parametrize(("status", "state"), [(200, "ready"), (503, "draining")])
def test_a_studio_that_still_loads_is_waited_for(
    studio: Echo, tmp_path: Path, status: int, state: str
) -> None:
    says(studio, status, state, "loading" if state == "ready" else "ready")
    code, complaint = wait(studio, tmp_path)
    assert code == 1
    assert "vv-podcast-0-s1 is not ready after 2 s" in complaint


def test_a_studio_whose_engine_failed_is_given_up_with_its_log(studio: Echo, tmp_path: Path) -> None:
    says(studio, 503, "failed", "failed")
    code, complaint = wait(studio, tmp_path)
    assert code == 1
    assert "vv-podcast-0-s1 has an engine that failed; its last lines:" in complaint
    assert "the last line of its log" in complaint

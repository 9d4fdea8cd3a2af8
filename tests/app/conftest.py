"""A tiny checkpoint of the real architecture, made once, and a studio that serves it on the loopback."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

# Before anything imports gradio or transformers: tests talk to nobody.
os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}

from running import Process, Running, free_ports, wait_for
from vibevoice import tiny
from vibevoice.engine.model import Model
from vibevoice.settings import Settings


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint")
    tiny.build(folder)
    return folder


@pytest.fixture(scope="session")
def model(checkpoint: Path) -> Model:
    return Model(checkpoint, "cpu")


@pytest.fixture(scope="session")
def settings(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings.model_validate(
        {
            "project": "podcast",
            "root_path": "/vibevoice/podcast",
            "model_dir": checkpoint,
            "model_name": "tiny",
            "lock_dir": tmp_path_factory.mktemp("locks"),
            "device": "cpu",
            "host": "127.0.0.1",
            "port": 0,
            "max_waiting": 1,
            "heartbeat_s": 0.05,
            "drain_s": 0,
        }
    )


@pytest.fixture(scope="session")
def running(settings: Settings) -> Iterator[Running]:
    """A studio with page and API, as __main__ puts it together, in a thread of its own."""
    with Running(settings) as studio:
        wait_for(lambda: studio.get("/health/ready").status_code == 200)
        yield studio


@pytest.fixture
def start(checkpoint: Path, tmp_path: Path) -> Callable[..., Process]:
    """Start a studio as a process on free ports."""

    def start(**variables: object) -> Process:
        return Process(*free_ports(), **{"model_dir": checkpoint, "lock_dir": tmp_path, **variables})

    return start


@pytest.fixture
def api(running: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=running.url, timeout=60) as client:
        yield client


@pytest.fixture
def gpu_is_busy(running: Running, settings: Settings) -> Iterator[threading.Event]:
    """Somebody else holds the GPU's lock until the test sets the event, or ends."""
    from vibevoice.engine.gpu_lock import GpuLock

    assert settings.lock_dir
    lock, free, held = GpuLock(settings.lock_dir / "slot-0.lock"), threading.Event(), threading.Event()

    def hold() -> None:
        with lock.hold(lambda: False):
            held.set()
            free.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    yield free
    free.set()
    holder.join()
    wait_for(lambda: running.studio.engine.idle)

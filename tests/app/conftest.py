"""A tiny checkpoint of the real architecture, made once, and a studio that serves it on the loopback."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import hypothesis
import pytest

# Before anything imports gradio or transformers: tests talk to nobody.
os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}

from checkpoints import checkpoint, lively
from running import THOROUGH, Process, Running, Stopped, free_ports, wait_for
from vibevoice.jobs.store import Store
from vibevoice.settings import Settings

__all__ = ["checkpoint", "lively"]

# How long a machine with others to serve takes for an example says nothing of the example. Two runs on one
# commit try the same ones: new examples are for THOROUGH=1.
hypothesis.settings.register_profile(
    "shared",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    derandomize=not THOROUGH,
)
hypothesis.settings.load_profile("shared")

# Minutes each, of few tests. They come first: left to the end, one worker would do the last of them alone.
LONGEST = (
    "test_stop", "test_lend", "test_runner_faults", "test_scheduler", "test_kills", "test_idle",
    "test_runner", "test_runner_cuts", "test_engine", "test_engine_faults", "test_sleep", "test_equality",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first."""
    ranks = {name: rank for rank, name in enumerate(LONGEST)}
    items.sort(key=lambda item: ranks.get(item.path.stem, len(ranks)))


@pytest.fixture(scope="session")
def settings(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings.model_validate(
        {
            "project": "podcast",
            "root_path": "/vibevoice/podcast",
            "model_dir": checkpoint,
            "model_name": "tiny",
            "lock_dir": tmp_path_factory.mktemp("locks"),
            "data_dir": tmp_path_factory.mktemp("data"),
            "device": "cpu",
            "host": "127.0.0.1",
            "port": 0,
            "streams": 1,
            "max_waiting": 1,
            "heartbeat_s": 0.05,
            "drain_s": 0,
        }
    )


@pytest.fixture(scope="session")
def running(settings: Settings) -> Iterator[Running]:
    """A studio with page and API, as __main__ puts it together, in a thread of its own."""
    with Running(settings) as studio:
        wait_for(lambda: studio.studio.engine.state == "ready")
        yield studio


@pytest.fixture
def clock() -> Callable[[], float]:
    """Of `store`; a module whose tests move time has one of its own."""
    return time.time


@pytest.fixture
def store(tmp_path: Path, clock: Callable[[], float]) -> Store:
    return Store(tmp_path, clock)


@pytest.fixture
def start(checkpoint: Path, tmp_path: Path) -> Callable[..., Process]:
    """Start a studio as a process on free ports."""

    def start(**variables: object) -> Process:
        folders = {"model_dir": checkpoint, "lock_dir": tmp_path, "data_dir": tmp_path}
        return Process(*free_ports(), **{**folders, **variables})

    return start


@pytest.fixture
def api(running: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=running.url, timeout=60) as client:
        yield client


@pytest.fixture
def gpu_is_busy(running: Running) -> Iterator[Stopped]:
    """Nothing gets on until the test sets this, or ends."""
    with Stopped(running.studio.engine) as stopped:
        yield stopped
    wait_for(lambda: not running.studio.store.shares())

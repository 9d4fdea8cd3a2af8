"""A studio of this machine with a tiny checkpoint, and Debian's Chromium in front of it. No lab."""

from __future__ import annotations

import math
import os
import signal
import socket
import struct
import subprocess
import time
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
import requests
from playwright.sync_api import Browser, BrowserContext, Page, Request, ViewportSize, expect, sync_playwright

from tests.box.browser import CHROMIUM, DESKTOP, Complaints

REPO = Path(__file__).resolve().parents[2]
PYTHON = REPO / ".venv-app" / "bin" / "python"
PATIENCE_S = 90
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--autoplay-policy=no-user-gesture-required",
    # A microphone that beeps, and nobody to ask whether it may be heard.
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)

expect.set_options(timeout=30_000)


class Studio:
    """`python -m vibevoice` on a port that stays the same when it is started again."""

    def __init__(self, folder: Path, checkpoint: Path, **variables: object) -> None:
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            two.bind(("127.0.0.1", 0))
            self.port, metrics = one.getsockname()[1], two.getsockname()[1]
        given = {
            **{"host": "127.0.0.1", "port": self.port, "metrics_port": metrics, "device": "cpu"},
            **{
                "model_dir": checkpoint,
                "data_dir": folder / "data",
                "lock_dir": folder,
                "project": "podcast",
            },
            **{"drain_s": 0, "stop_grace_s": 1, "heartbeat_s": 1, **variables},
        }
        self._environment = {
            **os.environ,
            **{f"VV_{name.upper()}": str(value) for name, value in given.items()},
            **{"PYTHONPATH": str(REPO / "app"), "OMP_NUM_THREADS": "1", "GRADIO_ANALYTICS_ENABLED": "False"},
            **{"HF_HUB_OFFLINE": "1", "GRADIO_TEMP_DIR": str(folder / "gradio")},
        }
        self._log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"http://127.0.0.1:{self.port}/"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Until it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [PYTHON, "-m", "vibevoice"], env=self._environment, stdout=log, stderr=log
            )
        end = time.monotonic() + PATIENCE_S
        while not self._answers():
            assert self._process.poll() is None and time.monotonic() < end, self._log.read_text()[-3000:]
            time.sleep(0.1)

    def stop(self) -> None:
        """As a rollout does."""
        assert self._process
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(PATIENCE_S)

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}health/live", timeout=5).ok
        except requests.ConnectionError:
            return False


class Visitor:
    """Somebody at the page, and what their browser complained of or asked elsewhere."""

    def __init__(self, context: BrowserContext, studio: Studio) -> None:
        self.page: Page = context.new_page()
        self.complaints = Complaints()
        self.elsewhere: list[str] = []
        self.complaints.watch(self.page)
        self.page.on("request", self._asked)
        self._url = studio.url

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self._url, "blob:", "data:")):
            self.elsewhere.append(request.url)

    def open(self, view: str = "write") -> Page:
        """The page, once it is alive."""
        self.page.goto(f"{self._url}#{view}")
        self.page.locator("#studio[data-ready]").wait_for(timeout=30_000)
        return self.page


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lab's model: tiny, with random weights."""
    folder = tmp_path_factory.mktemp("checkpoint")
    code = f"from pathlib import Path; from vibevoice import tiny; tiny.build(Path({str(folder)!r}))"
    environment = {**os.environ, "PYTHONPATH": str(REPO / "app")}
    subprocess.run([PYTHON, "-c", code], env=environment, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def studio(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """One for a file of tests, which share its history."""
    with Studio(tmp_path_factory.mktemp("studio"), checkpoint) as started:
        yield started


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield started
        started.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser of its own for each test, in English."""
    size = ViewportSize(width=DESKTOP["width"], height=DESKTOP["height"])
    made = browser.new_context(viewport=size, locale="en-GB", accept_downloads=True)
    yield made
    made.close()


@pytest.fixture
def visitor(context: BrowserContext, studio: Studio) -> Visitor:
    return Visitor(context, studio)


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of something that is no silence."""
    path = tmp_path_factory.mktemp("recording") / "clip.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(44100)
        tones = (int(9000 * math.sin(n * 0.03) * math.sin(n * 0.0007)) for n in range(3 * 44100))
        file.writeframes(b"".join(struct.pack("<h", tone) for tone in tones))
    return path

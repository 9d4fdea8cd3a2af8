"""The real door on loopback ports, told of a site as the deploy tells it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import urllib3

from fleet import Site
from roles.door import config
from tests.box.lab import REPO
from tests.unit.traefik_process import wait_until

PYTHON = REPO / ".venv-door" / "bin" / "python"


@dataclass
class Door:
    """A door that runs: where, its process, its configuration file."""

    address: str
    process: subprocess.Popen[bytes]
    file: Path
    env: Mapping[str, str]

    def health(self) -> str | None:
        """The configuration it has in force; None where it does not answer."""
        try:
            answer = urllib3.request("GET", f"http://{self.address}/health", retries=False, timeout=1)
        except urllib3.exceptions.HTTPError:
            return None
        return answer.json()["config"] if answer.status == 200 else None

    def ask(self, *arguments: str) -> str:
        """What `python -m door ARGUMENTS` prints."""
        command = [str(PYTHON), "-m", "door", *arguments]
        return subprocess.run(
            command, env=self.env, check=True, capture_output=True, text=True
        ).stdout.strip()

    def stop(self, signal: int) -> None:
        """Send a signal and wait for the end."""
        self.process.send_signal(signal)
        self.process.wait(20)


def tell(site: Site, file: Path, node_urls: Mapping[str, str]) -> str:
    """Write the door's configuration as a deploy does, by a rename; returns its digest."""
    text = config.render(site)
    for node in site.nodes:
        text = text.replace(site.node_url(node.host), node_urls.get(node.host, site.node_url(node.host)))
    new = file.with_suffix(".vv-new")
    new.write_text(text)
    new.replace(file)
    return config.digest([config.File(config.CONFIG, text)])


@contextmanager
def door(address: str, folder: Path, log: Path) -> Iterator[Door]:
    """A door on `address`; `folder` holds site.json, and what the door keeps below data/."""
    host, _, port = address.partition(":")
    env = {
        **os.environ,
        "PYTHONPATH": str(REPO / "app"),
        "DOOR_CONFIG": str(folder / "site.json"),
        "DOOR_DATA": str(folder / "data"),
        "DOOR_HOST": host,
        "DOOR_PORT": port,
    }
    (folder / "data").mkdir(mode=0o700, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(PYTHON), "-m", "door", "serve"], env=env, stdout=output, stderr=output
        )
    running = Door(address, process, folder / "site.json", env)
    try:
        wait_until(
            lambda: process.poll() is not None or running.health() is not None, 30, f"no door at {address}"
        )
        assert process.poll() is None, log.read_text()
        yield running
    finally:
        process.kill()
        process.wait()


@contextmanager
def doors(addresses: tuple[str, str], folder: Path) -> Iterator[tuple[Door, Door]]:
    """Both doors, on one folder."""
    with ExitStack() as stack:
        first, second = (
            stack.enter_context(door(address, folder, folder / f"{name}.log"))
            for name, address in zip("ab", addresses, strict=True)
        )
        yield first, second

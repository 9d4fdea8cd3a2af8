"""The lab's package repositories, served over HTTP: NVIDIA's driver and toolkit, and Docker's."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from lab import process
from lab.hardware import packages as hardware
from lab.internet import aptrepo, docker_packages, static
from lab.internet.cache import fresh, keep, key
from lab.paths import INTERNET
from lab.topology import MACHINE

PORT = 8100
URL = f"http://{MACHINE}:{PORT}"
SERVED = INTERNET / "apt" / "www"
NEEDS = ("apt-utils", "binutils", "dpkg-dev", "gcc", "gpg", "gpg-agent")

_HERE = Path(__file__).parent


def settled() -> bool:
    """Whether every repository is built from today's sources and being served."""
    return process.alive("apt") and all(fresh(SERVED / name, made) for name, made in _keys().items())


def ensure() -> bool:
    """Build what is not up to date, and serve; returns whether anything changed."""
    aptrepo.ensure_key()
    builders = {"nvidia": _nvidia, "toolkit": _toolkit, "docker": _docker}
    built = [keep(SERVED / name, made, builders[name]) for name, made in _keys().items()]
    return static.serve("apt", SERVED, PORT) or any(built)


def publish(what: str, version: str) -> None:
    """Offer a newer version beside those there are, as a vendor does: `driver` 580.190.01, `docker` 26.1.6.

    Raises:
        KeyError: something else is to be published; the message says what can be.
    """
    if what not in _PUBLISHERS:
        raise KeyError(f"{what}={version}: only {' and '.join(_PUBLISHERS)} can be published.")
    _PUBLISHERS[what](version)


def withdraw() -> None:
    """Take back whatever was published; hosts that have it keep it."""
    for note in SERVED.rglob(_PUBLISHED):
        for name in note.read_text().split():
            (note.parent / name).unlink(missing_ok=True)
        note.unlink()
    _index_drivers()
    _index_docker()


def _publish_driver(version: str) -> None:
    for repository in _driver_repositories():
        _noting(repository, lambda folder: hardware.driver(version, folder))
    _index_drivers()


def _publish_docker(version: str) -> None:
    _noting(_docker_pool(), lambda folder: docker_packages.renew(folder, version))
    _index_docker()


_PUBLISHERS = {"driver": _publish_driver, "docker": _publish_docker}
_PUBLISHED = ".published"


def _noting(folder: Path, build: Callable[[Path], None]) -> None:
    """Build into a folder, and note there which packages are new."""
    before = set(folder.glob("*.deb"))
    build(folder)
    new = sorted(path.name for path in set(folder.glob("*.deb")) - before)
    with (folder / _PUBLISHED).open("a") as note:
        note.write("".join(f"{name}\n" for name in new))


def _driver_repositories() -> list[Path]:
    return sorted((SERVED / "nvidia").glob("*/x86_64"))


def _docker_pool() -> Path:
    return SERVED / "docker" / "debian" / "pool" / docker_packages.CODENAME / "stable"


def _index_drivers() -> None:
    for repository in _driver_repositories():
        aptrepo.flat(repository, "NVIDIA")


def _index_docker() -> None:
    aptrepo.suite(SERVED / "docker" / "debian", "Docker", docker_packages.CODENAME)


def _keys() -> dict[str, str]:
    if not aptrepo.KEY.exists():
        return dict.fromkeys(("nvidia", "toolkit", "docker"), "")
    # Whoever replaces the signing key has to sign everything again.
    signing = [aptrepo.KEY, _HERE / "aptrepo.py", Path(__file__)]
    hardware_key = key(signing, hardware.TREES, Path(hardware.__file__), os.uname().release)
    return {
        "nvidia": hardware_key,
        "toolkit": hardware_key,
        "docker": key(signing, _HERE / "docker_packages.py"),
    }


def _nvidia(folder: Path) -> None:
    for distribution in ("debian12", "debian13"):
        repository = folder / distribution / "x86_64"
        repository.mkdir(parents=True)
        hardware.driver_packages(repository)
        aptrepo.flat(repository, "NVIDIA")


def _toolkit(folder: Path) -> None:
    repository = folder / "amd64"
    repository.mkdir()
    hardware.toolkit_packages(repository)
    aptrepo.flat(repository, "NVIDIA-toolkit")


def _docker(folder: Path) -> None:
    root = folder / "debian"
    docker_packages.build(root / "pool" / docker_packages.CODENAME / "stable")
    aptrepo.suite(root, "Docker", docker_packages.CODENAME)

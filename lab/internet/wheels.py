"""The package index of the lab: the wheels of studio and door, as a simple index with checksums."""

from __future__ import annotations

import hashlib
import html
import os
import re
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from lab import process
from lab.internet import static
from lab.internet.cache import CommandFailed, command, fresh, keep, key
from lab.paths import INTERNET, REPO
from lab.topology import MACHINE

PORT = 8101
URL = f"http://{MACHINE}:{PORT}/simple/"

_SERVED = INTERNET / "wheels" / "www"
_APP = REPO / "app" / "vibevoice"
_TORCH = _APP / "torch.txt"
_TORCH_INDEX = "https://download.pytorch.org/whl/cpu"
# What the image runs on, whatever Python this machine has: CPython 3.11 on Debian 12 (libc 2.36).
_PYTHON = "3.11"
_PLATFORMS = (
    *(f"manylinux_2_{minor}_x86_64" for minor in range(36, 4, -1)),
    "manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64", "linux_x86_64",
)  # fmt: skip
_PINNED = re.compile(r"^([A-Za-z0-9_.-]+)==([^\s;\\]+)", re.MULTILINE)


def settled() -> bool:
    """Whether the index holds what today's lock files ask for, and is being served."""
    return process.alive("wheels") and fresh(_SERVED, _key())


def ensure() -> bool:
    """Download what is missing, write the index, and serve it; returns whether anything changed."""
    built = keep(_SERVED, _key(), _build)
    return static.serve("wheels", _SERVED, PORT) or built


def _locks() -> list[Path]:
    return sorted((REPO / "app").glob("*/*.lock"))


def _key() -> str:
    return key(_locks(), _TORCH, Path(__file__))


def _build(folder: Path) -> None:
    packages = folder / "packages"
    packages.mkdir()
    _keep_what_is_still_locked(packages)
    # One by one: two locks may pin different versions of a package.
    for lock in _locks():
        _pip(packages, "--require-hashes", "-r", str(lock))
    _torch(packages)
    _write_index(folder / "simple", sorted(packages.glob("*.whl")))


def _keep_what_is_still_locked(packages: Path) -> None:
    """Take the present index's wheels over, so that a changed lock downloads only what is new."""
    pinned = "\n".join(path.read_text() for path in (*_locks(), _TORCH))
    wanted = {(_normal(name), version) for name, version in _PINNED.findall(pinned)}
    for wheel in (_SERVED / "packages").glob("*.whl"):
        name, version = wheel.name.split("-")[:2]
        if (_normal(name), version.partition("+")[0]) in wanted:
            os.link(wheel, packages / wheel.name)


def _torch(packages: Path) -> None:
    """The CPU build: from where pip looks on this machine, else from PyTorch's own index."""
    pinned = next(line for line in _TORCH.read_text().splitlines() if line.startswith("torch=="))
    wanted = f"{pinned.strip()}+cpu"
    if any(packages.glob(f"{wanted.replace('==', '-')}-*.whl")):
        return
    try:
        _pip(packages, wanted, tries=1)
    except CommandFailed:
        _pip(packages, wanted, "--index-url", _TORCH_INDEX)


def _pip(packages: Path, *arguments: str, tries: int = 3) -> None:
    target = ["--only-binary=:all:", "--implementation", "cp", "--python-version", _PYTHON]
    target += [word for platform in _PLATFORMS for word in ("--platform", platform)]
    command(
        "nice", sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
        "--no-deps", *target, "--dest", packages, *arguments, tries=tries,
    )  # fmt: skip


def _write_index(simple: Path, wheels: Iterable[Path]) -> None:
    projects: dict[str, list[str]] = {}
    for wheel in wheels:
        projects.setdefault(_normal(wheel.name.split("-")[0]), []).append(_link(wheel))
    for name, links in projects.items():
        _page(simple / name, links)
    _page(simple, [f'<a href="{name}/">{name}</a>' for name in projects])


def _link(wheel: Path) -> str:
    """The wheel's line in the index; its metadata lie beside it, so that uv need not fetch it whole."""
    metadata = wheel.with_name(f"{wheel.name}.metadata")
    metadata.write_bytes(_metadata(wheel))
    digest = f"sha256={_sha256(metadata)}"
    place = f"../../packages/{quote(wheel.name)}#sha256={_sha256(wheel)}"
    attributes = f'data-core-metadata="{digest}" data-dist-info-metadata="{digest}"'
    return f'<a href="{place}" {attributes}>{html.escape(wheel.name)}</a>'


def _metadata(wheel: Path) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        inside = next(name for name in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name))
        return archive.read(inside)


def _page(folder: Path, links: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    body = "<br>\n".join(links)
    head = '<meta name="pypi:repository-version" content="1.0"><title>Simple index</title>'
    (folder / "index.html").write_text(
        f"<!DOCTYPE html>\n<html><head>{head}</head><body>\n{body}\n</body></html>\n"
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()

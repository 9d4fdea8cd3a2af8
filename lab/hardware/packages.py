"""Build the stand-in packages of NVIDIA's repositories and of the kernel.

Each package is a folder below packages/: the files as they lie on a host, DEBIAN/ as dpkg wants
it. ``@NAME@`` words, in texts and in file names, are filled in here.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from lab.internet.cache import command

TREES = Path(__file__).parent / "packages"

# 580 is the pinned branch: its newest version, and one before it, to upgrade from. The branch after
# it is what an unpinned host would get.
DRIVERS = ("580.173.02", "580.178.04", "595.71.05")
TOOLKIT = "1.20.0"
_REVISION = "-1"
# The same package lies in several repositories, and in the hosts' caches: every build gives the same bytes.
_BUILT = "1760000000"


def driver_packages(target: Path) -> None:
    """Everything a host gets from NVIDIA's CUDA repository, and the kernel's headers."""
    for upstream in DRIVERS:
        driver(upstream, target)
    for pin in sorted({upstream.partition(".")[0] for upstream in DRIVERS}):
        build("nvidia-driver-pinning", target, PIN=pin, VERSION=f"{pin}{_REVISION}")
    kernel_packages(target)


def toolkit_packages(target: Path) -> None:
    """NVIDIA's container toolkit, as far as a CDI-only host uses it."""
    build("nvidia-container-toolkit-base", target, UPSTREAM=TOOLKIT, VERSION=f"{TOOLKIT}{_REVISION}")


def kernel_packages(target: Path) -> None:
    """Headers for the machine's kernel, which comes from no Debian package, and a dkms without a compiler."""
    release = os.uname().release
    version = release.partition("-")[0]
    headers = f"linux-headers-{release}".lower()
    build("linux-headers", target, NAME=headers, VERSION=version, DEPENDS="")
    depends = f"Depends: {headers} (= 99.{version})\n"
    build("linux-headers", target, NAME="linux-headers-amd64", VERSION=version, DEPENDS=depends)
    build("dkms", target, VERSION="3.2.2-1")


def build(tree: str, target: Path, **words: str) -> None:
    """Fill in the folder ``tree`` and pack it as a .deb in ``target``."""
    staging = target / ".staging" / tree
    shutil.rmtree(staging, ignore_errors=True)
    _fill_in(TREES / tree, staging, words)
    _compile(tree, staging, words)
    try:
        dated = {**os.environ, "SOURCE_DATE_EPOCH": _BUILT}
        command("dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", staging, target, env=dated)
    finally:
        shutil.rmtree(staging.parent)


def driver(upstream: str, target: Path) -> None:
    """All packages of one version of the driver, and the one that pins exactly it."""
    build("nvidia-driver-pinning", target, PIN=upstream, VERSION=f"{upstream}{_REVISION}")
    words = {"UPSTREAM": upstream, "VERSION": f"{upstream}{_REVISION}"}
    for tree in ("libnvidia-ml1", "nvidia-driver-cuda", "nvidia-persistenced", "nvidia-fabricmanager"):
        build(tree, target, **words)
    opened, closed = "nvidia-kernel-open-dkms", "nvidia-kernel-dkms"
    for name, other, licence in ((opened, closed, "Dual MIT/GPL"), (closed, opened, "NVIDIA")):
        build("nvidia-kernel", target, **words, NAME=name, OTHER=other, LICENSE=licence)


def _fill_in(source: Path, staging: Path, words: Mapping[str, str]) -> None:
    for path in sorted(source.rglob("*")):
        place = staging / _replace(str(path.relative_to(source)), words)
        if path.is_symlink():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(path.readlink())
        elif path.is_dir():
            place.mkdir(parents=True, exist_ok=True)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(_replace(path.read_text(), words))
            place.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
    configuration = sorted(path for path in (staging / "etc").rglob("*") if path.is_file())
    if configuration:
        # As debhelper does for the real ones: dpkg then minds what the administrator has put there.
        listing = "".join(f"/{path.relative_to(staging)}\n" for path in configuration)
        (staging / "DEBIAN/conffiles").write_text(listing)
    for folder in [staging, *(p for p in staging.rglob("*") if p.is_dir() and not p.is_symlink())]:
        folder.chmod(0o755)


def _replace(text: str, words: Mapping[str, str]) -> str:
    for name, value in words.items():
        text = text.replace(f"@{name}@", value)
    return text


def _compile(tree: str, staging: Path, words: Mapping[str, str]) -> None:
    if tree == "nvidia-kernel":
        fields = {"version": words["UPSTREAM"], "license": words["LICENSE"], "description": "lab stand-in"}
        _module(staging / "usr/lib/nvidia-stub/nvidia.ko", fields)
    if tree == "libnvidia-ml1":
        _library(staging / "usr/lib/x86_64-linux-gnu", words["UPSTREAM"])


def _module(path: Path, fields: Mapping[str, str]) -> None:
    """An ELF file that holds nothing but a .modinfo section: modinfo reads it, no kernel loads it."""
    modinfo = path.with_suffix(".modinfo")
    modinfo.write_bytes(b"".join(f"{name}={value}".encode() + b"\0" for name, value in fields.items()))
    command("gcc", "-c", "-x", "c", "/dev/null", "-o", path)
    flags = ("--set-section-flags", ".modinfo=alloc,readonly")
    command("objcopy", "--add-section", f".modinfo={modinfo}", *flags, path)
    modinfo.unlink()


def _library(folder: Path, upstream: str) -> None:
    folder.mkdir(parents=True)
    soname = "libnvidia-ml.so.1"
    library = folder / f"libnvidia-ml.so.{upstream}"
    command("gcc", "-shared", "-nostdlib", f"-Wl,-soname,{soname}", "-x", "c", "/dev/null", "-o", library)
    (folder / soname).symlink_to(library.name)

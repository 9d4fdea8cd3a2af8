"""Docker's own packages, docker-ce and its companions, for Debian 12: Debian 13's binaries inside.

Docker's repository cannot be reached from every machine, and Debian 12's docker.io is too old for
CDI. The binaries ask for libc 2.34 only; runc, iptables and the rest are Debian 12's own.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from lab.internet import debian
from lab.internet.cache import command

CODENAME = "bookworm"
_SUFFIX = "1~debian.12~bookworm"
_SOURCES = ["docker.io", "docker-cli", "containerd", "tini"]
_BINARIES = "usr/bin"

_CONTROL = """\
Package: {name}
Version: {version}
Architecture: amd64
Maintainer: Lab <lab@lab.test>
Depends: {depends}
Conflicts: {conflicts}
Replaces: {conflicts}
Section: admin
Priority: optional
Description: {description}
"""

_START = """\
#!/bin/sh
set -e
[ "$1" = configure ] || exit 0
{before}if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
for unit in {units}; do
    deb-systemd-helper enable $unit >/dev/null || true
    if [ -d /run/systemd/system ]; then deb-systemd-invoke restart $unit >/dev/null || true; fi
done
"""
_STOP = """\
#!/bin/sh
set -e
[ "$1" = remove ] && [ -d /run/systemd/system ] || exit 0
deb-systemd-invoke stop {units} >/dev/null || true
"""
_GROUP = "getent group docker >/dev/null || groupadd --system docker\n"


def build(pool: Path) -> None:
    """Put docker-ce, docker-ce-cli and containerd.io into ``pool``."""
    scratch = pool / ".scratch"
    trees = _unpacked(scratch)
    docker = _upstream(scratch, "docker.io")
    _containerd(trees, scratch, pool, f"{_upstream(scratch, 'containerd')}-{_SUFFIX}")
    _cli(trees, scratch, pool, f"5:{docker}-{_SUFFIX}")
    _engine(trees, scratch, pool, f"5:{docker}-{_SUFFIX}")
    shutil.rmtree(scratch)


def renew(pool: Path, version: str) -> None:
    """Put the engine and its command line into ``pool`` once more, as another version: 26.1.6."""
    for name in ("docker-ce", "docker-ce-cli"):
        newest = sorted(pool.glob(f"{name}_*.deb"))[-1]
        root = pool / ".renewed" / name
        root.parent.mkdir(parents=True, exist_ok=True)
        command("dpkg-deb", "-R", newest, root)
        control = root / "DEBIAN/control"
        lines = control.read_text().splitlines(keepends=True)
        said = f"Version: 5:{version}-{_SUFFIX}\n"
        control.write_text("".join(said if line.startswith("Version:") else line for line in lines))
        command("dpkg-deb", "--root-owner-group", "-Zzstd", "-z6", "--build", root, pool)
    shutil.rmtree(pool / ".renewed")


def _unpacked(scratch: Path) -> dict[str, Path]:
    debian.download("trixie", _SOURCES, scratch)
    trees = {name: scratch / name for name in _SOURCES}
    for name, tree in trees.items():
        command("dpkg-deb", "-x", _deb(scratch, name), tree)
    return trees


def _deb(scratch: Path, name: str) -> Path:
    return next(scratch.glob(f"{name}_*.deb"))


def _upstream(scratch: Path, name: str) -> str:
    """26.1.5 of 26.1.5+dfsg1-9+deb13u1."""
    version = command("dpkg-deb", "-f", _deb(scratch, name), "Version").strip()
    return version.partition("+")[0].partition("~")[0].partition("-")[0]


def _containerd(trees: dict[str, Path], scratch: Path, pool: Path, version: str) -> None:
    root = scratch / "containerd.io"
    for path in sorted((trees["containerd"] / "usr/bin").iterdir()):
        _copy(path, root / _BINARIES / path.name)
    unit = (trees["containerd"] / "usr/lib/systemd/system/containerd.service").read_text()
    _write(root / "usr/lib/systemd/system/containerd.service", unit)
    _write(root / "etc/containerd/config.toml", 'disabled_plugins = ["cri"]\n')
    _pack(
        root, pool, name="containerd.io", version=version, depends="libc6 (>= 2.34), runc",
        conflicts="containerd", description="containerd, packed for the lab", units="containerd.service",
    )  # fmt: skip


def _cli(trees: dict[str, Path], scratch: Path, pool: Path, version: str) -> None:
    root = scratch / "docker-ce-cli"
    _copy(trees["docker-cli"] / "usr/bin/docker", root / _BINARIES / "docker")
    _pack(
        root, pool, name="docker-ce-cli", version=version, depends="libc6 (>= 2.34)",
        conflicts="docker-cli", description="Docker's command line, packed for the lab",
    )  # fmt: skip


def _engine(trees: dict[str, Path], scratch: Path, pool: Path, version: str) -> None:
    root = scratch / "docker-ce"
    for name in ("dockerd", "docker-proxy"):
        _copy(trees["docker.io"] / "usr/sbin" / name, root / _BINARIES / name)
    _copy(trees["tini"] / "usr/bin/tini-static", root / _BINARIES / "docker-init")
    for unit in ("docker.service", "docker.socket"):
        text = (trees["docker.io"] / "usr/lib/systemd/system" / unit).read_text()
        text = text.replace("/usr/sbin/dockerd", "/usr/bin/dockerd").replace(" $DOCKER_OPTS", "")
        text = text.replace("EnvironmentFile=-/etc/default/docker\n", "")
        _write(root / "usr/lib/systemd/system" / unit, text)
    _pack(
        root, pool, name="docker-ce", version=version,
        depends="containerd.io (>= 1.7.24), docker-ce-cli, iptables, libc6 (>= 2.34), libsystemd0",
        conflicts="docker.io", description="Docker Engine, packed for the lab",
        units="docker.socket docker.service", before=_GROUP,
    )  # fmt: skip


def _pack(
    root: Path, pool: Path, *, name: str, version: str, depends: str, conflicts: str, description: str,
    units: str = "", before: str = "",
) -> None:  # fmt: skip
    fields = {"name": name, "version": version, "depends": depends, "conflicts": conflicts}
    _write(root / "DEBIAN/control", _CONTROL.format(**fields, description=description))
    if units:
        _write(root / "DEBIAN/postinst", _START.format(before=before, units=units), 0o755)
        _write(root / "DEBIAN/prerm", _STOP.format(units=units), 0o755)
    configs = sorted(p for p in (root / "etc").rglob("*") if p.is_file())
    if configs:
        _write(root / "DEBIAN/conffiles", "".join(f"/{path.relative_to(root)}\n" for path in configs))
    pool.mkdir(parents=True, exist_ok=True)
    # zstd unpacks many times faster than xz, and the hosts' dpkg knows it (Debian 12 and later).
    command("nice", "dpkg-deb", "--root-owner-group", "-Zzstd", "-z6", "--build", root, pool)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)


def _write(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)

"""Packages of any Debian release from the machine's own mirror, without touching the machine's apt."""

from __future__ import annotations

from pathlib import Path

from lab import base
from lab.internet.cache import command
from lab.paths import INTERNET

_ROOT = INTERNET / "debian"


def download(release: str, packages: list[str], target: Path) -> list[Path]:
    """Fetch the .deb files of ``packages``, as ``release`` has them today, into ``target``."""
    settings = _private_apt(release)
    target.mkdir(parents=True, exist_ok=True)
    before = set(target.glob("*.deb"))
    apt(settings, "update", cwd=target)
    apt(settings, "download", *packages, cwd=target)
    return sorted(set(target.glob("*.deb")) - before)


def apt(settings: Path, *arguments: str, cwd: Path) -> str:
    """Run apt-get with the private settings only; downloads are tried three times."""
    environment = {"APT_CONFIG": str(settings), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
    return command("apt-get", "-qq", *arguments, cwd=cwd, env=environment, tries=3)


def _private_apt(release: str) -> Path:
    """An apt configuration of its own for ``release``: sources, lists and an empty package state."""
    root = _ROOT / release
    for folder in ("lists/partial", "cache/archives/partial", "etc"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "status").touch()
    (root / "etc/sources.list").write_text(base.sources(release))
    settings = root / "apt.conf"
    settings.write_text(
        f"""\
{base.apt_settings()}
Dir::Etc::sourcelist "{root}/etc/sources.list";
Dir::Etc::sourceparts "-";
Dir::Etc::parts "-";
Dir::Etc::main "-";
Dir::Etc::preferences "-";
Dir::Etc::preferencesparts "-";
Dir::State::lists "{root}/lists";
Dir::State::status "{root}/status";
Dir::Cache "{root}/cache";
APT::Sandbox::User "root";
APT::Install-Recommends "false";
Acquire::Languages "none";
"""
    )
    return settings

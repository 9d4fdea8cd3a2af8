"""Signed apt repositories: a lab key, indexes, and the two layouts in use (flat, and dists/pool)."""

from __future__ import annotations

import gzip
from pathlib import Path

from lab.internet.cache import command
from lab.paths import INTERNET

HOME = INTERNET / "apt"
KEY = HOME / "lab.asc"
_KEYRING = HOME / "gnupg"
_GPG = ("gpg", "--homedir", str(_KEYRING), "--batch", "--yes", "--quiet")
_OWNER = "Lab package repositories <packages@lab.test>"


def ensure_key() -> None:
    """Make the lab's signing key once; the public half is KEY, for the hosts to trust."""
    if KEY.exists():
        return
    _KEYRING.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not command(*_GPG, "--list-secret-keys", "--with-colons"):
        command(*_GPG, "--passphrase", "", "--quick-generate-key", _OWNER, "rsa3072", "sign", "never")
    KEY.write_text(command(*_GPG, "--armor", "--export", "packages@lab.test"))


def flat(folder: Path, label: str) -> None:
    """Turn a folder of .deb files into a repository for `Suites: /`."""
    _index(folder, scan=".", packages=folder / "Packages")
    _sign(folder, {"Origin": label, "Label": label, "Suite": "stable", "Architectures": "amd64"})


def suite(folder: Path, label: str, codename: str, component: str = "stable") -> None:
    """Index ``folder``/pool/<codename> as ``folder``/dists/<codename>/<component>."""
    dist = folder / "dists" / codename
    binary = dist / component / "binary-amd64"
    binary.mkdir(parents=True, exist_ok=True)
    _index(folder, scan=f"pool/{codename}", packages=binary / "Packages")
    names = {"Origin": label, "Label": label, "Suite": codename, "Codename": codename}
    _sign(dist, {**names, "Components": component, "Architectures": "amd64"})


def _index(folder: Path, scan: str, packages: Path) -> None:
    listing = command("apt-ftparchive", "packages", scan, cwd=folder)
    packages.write_text(listing)
    packages.with_suffix(".gz").write_bytes(gzip.compress(listing.encode(), mtime=0))


def _sign(folder: Path, fields: dict[str, str]) -> None:
    options = [f"-oAPT::FTPArchive::Release::{name}={value}" for name, value in fields.items()]
    for stale in ("Release", "Release.gpg", "InRelease"):
        (folder / stale).unlink(missing_ok=True)
    (folder / "Release").write_text(command("apt-ftparchive", *options, "release", ".", cwd=folder))
    sign = [*_GPG, "--digest-algo", "SHA512", "--local-user", "packages@lab.test"]
    command(*sign, "--clearsign", "--output", "InRelease", "Release", cwd=folder)
    command(*sign, "--armor", "--detach-sign", "--output", "Release.gpg", "Release", cwd=folder)

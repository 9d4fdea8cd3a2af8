"""Foreign package repositories: what apt is told, and how their keys arrive."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest

from steps.platform import read
from steps.sources import FETCH, Source
from tests.unit.real_programs import complaints

KEY = bytes(range(200)) * 5
ARMOUR = (
    "-----BEGIN PGP PUBLIC KEY BLOCK-----\nComment: a vendor\n\n"
    + base64.encodebytes(KEY).decode()
    + "=AbCd\n-----END PGP PUBLIC KEY BLOCK-----\n"
)


def fetched(served: Path, dest: Path) -> bytes:
    """The key that the host's script makes of a file that a vendor serves."""
    script = FETCH.format(url=f"file://{served}", dest=dest)
    assert complaints(["sh", "-c", script]) == ""
    return dest.read_bytes()


def test_an_armoured_key_arrives_binary(tmp_path: Path) -> None:
    (tmp_path / "gpg").write_text(ARMOUR)
    assert fetched(tmp_path / "gpg", tmp_path / "keyrings" / "key.gpg") == KEY


def test_a_binary_key_arrives_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "gpg").write_bytes(KEY)
    assert fetched(tmp_path / "gpg", tmp_path / "keyrings" / "key.gpg") == KEY


def test_a_key_is_taken_out_of_a_keyring_package(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    keyring = tree / "usr/share/keyrings/cuda-archive-keyring.gpg"
    keyring.parent.mkdir(parents=True)
    keyring.write_bytes(KEY)
    control = tree / "DEBIAN/control"
    control.parent.mkdir()
    control.write_text(
        "Package: cuda-keyring\nVersion: 1.1\nArchitecture: all\nMaintainer: a <a@b.c>\nDescription: key\n"
    )
    package = tmp_path / "cuda-keyring_1.1-1_all.deb"
    subprocess.run(["dpkg-deb", "--build", str(tree), str(package)], check=True, capture_output=True)
    assert fetched(package, tmp_path / "keyrings" / "key.gpg") == KEY


def test_a_key_that_cannot_be_fetched_leaves_nothing_behind(tmp_path: Path) -> None:
    script = FETCH.format(url=f"file://{tmp_path}/missing", dest=tmp_path / "key.gpg")
    assert complaints(["sh", "-c", script]) != ""
    assert not (tmp_path / "key.gpg").exists()


def test_apt_is_told_whom_to_trust() -> None:
    source = Source(
        "vibevoice-x", "https://x.example.com/debian", "trixie", "https://x.example.com/gpg", "stable"
    )
    assert source.file.dest == "/etc/apt/sources.list.d/vibevoice-x.sources"
    assert source.file.content == (
        "Types: deb\nURIs: https://x.example.com/debian\nSuites: trixie\nComponents: stable\n"
        "Signed-By: /etc/apt/keyrings/vibevoice-x.gpg\n"
    )


@pytest.mark.parametrize(("content", "ending"), [(ARMOUR.encode(), ".asc"), (KEY, ".gpg")])
def test_a_key_of_the_operators_keeps_its_form(content: bytes, ending: str, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(content)
    assert Source("x", "https://x.example.com", "/", str(key)).keyring.endswith(ending)


def test_a_host_is_recognised_from_what_it_prints() -> None:
    lines = [
        "id=ubuntu",
        "version=24.04",
        "codename=noble",
        "architecture=amd64",
        "kernel=6.8.0-45-generic",
        "container=none",
        "0000:01:00.0 Device [0302]: NVIDIA Corporation Device [10de:2335]",
    ]
    here = read(lines)
    assert here.release == "ubuntu2404"
    assert not here.container
    assert len(here.nvidia) == 1

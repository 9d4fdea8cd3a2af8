"""An image's identity, known before anything is built; logins that stay the same."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import argon2
import bcrypt
import pytest

from fleet import context, images
from fleet.logins import door_hash, htpasswd
from steps.images import missing_layers
from tests.unit.examples import example_site


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {
        "Dockerfile": "FROM x",
        ".dockerignore": "# not for the image\nDockerfile\n*.in\n**/__pycache__\nsecret/\n!keep.in\n",
        "a.py": "1",
        "pkg/b.py": "2",
        "pkg/__pycache__/b.pyc": "3",
        "requirements.in": "4",
        "keep.in": "5",
        "secret/key": "6",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_the_context_is_what_dockerignore_leaves(folder: Path) -> None:
    names = {path.relative_to(folder).as_posix() for path in context.files(folder)}
    assert names == {"Dockerfile", ".dockerignore", "a.py", "pkg/b.py", "keep.in"}


def test_identity_depends_on_content_name_mode_and_arguments_alone(folder: Path) -> None:
    before = context.digest(folder, {"BASE": "x"})
    os.utime(folder / "a.py", (1, 1))
    (folder / "pkg/__pycache__/b.pyc").write_text("other")
    (folder / "a.py").chmod(0o600)
    assert context.digest(folder, {"BASE": "x"}) == before

    assert context.digest(folder, {"BASE": "y"}) != before
    (folder / "a.py").chmod(0o755)
    assert context.digest(folder, {"BASE": "x"}) != before
    (folder / "a.py").chmod(0o644)
    (folder / "a.py").write_text("11")
    assert context.digest(folder, {"BASE": "x"}) != before
    (folder / "a.py").write_text("1")
    (folder / "a.py").rename(folder / "c.py")
    assert context.digest(folder, {"BASE": "x"}) != before


def test_the_archive_holds_the_context_and_no_times(folder: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(context.archive(folder))) as tar:
        assert {entry.name for entry in tar} == {
            p.relative_to(folder).as_posix() for p in context.files(folder)
        }
        assert {(entry.mtime, entry.uid, entry.uname) for entry in tar} == {(0, 0, "")}


def test_another_index_or_base_is_another_image() -> None:
    tag = images.studio(example_site()).tag
    assert tag == images.studio(example_site()).tag
    assert len(tag) == 12
    assert images.studio(example_site(studio={"torch_index": "https://example.com/cpu"})).tag != tag
    other_base = example_site(images={"door_base": "python:3.12"})
    assert images.door(other_base).tag != images.door(example_site()).tag


def test_what_comes_from_elsewhere_is_not_built() -> None:
    assert [image.repository for image in images.built(example_site())] == ["door", "vibevoice"]
    external = "registry.example.com/studio@sha256:" + "a" * 64
    site = example_site(studio={"external_image": external})
    assert [image.repository for image in images.built(site)] == ["door"]
    assert images.studio(site).reference(site, "") == external


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("python:3.11", "docker.io/library/python:3.11"),
        ("team/python:3.11", "docker.io/team/python:3.11"),
        ("registry.example.com/python", "registry.example.com/python"),
        ("localhost/python", "localhost/python"),
        ("host:5000/python", "host:5000/python"),
    ],
)
def test_a_builder_gets_full_names(short: str, full: str) -> None:
    assert images.qualified(short) == full


def test_a_login_is_hashed_alike_every_time_and_checks() -> None:
    site = example_site()
    line = htpasswd(site, "dashboard", "root")
    assert line == htpasswd(example_site(), "dashboard", "root")
    user, _, hashed = line.partition(":")
    assert user == "root"
    assert bcrypt.checkpw(b"look", hashed.encode())

    argon = door_hash(site, "ana")
    assert argon == door_hash(example_site(), "ana")
    assert argon and argon2.PasswordHasher().verify(argon, "the password of ana")


def test_equal_passwords_have_unequal_hashes() -> None:
    same = {"ana": "the same", "li": "the same"}
    site = example_site(secrets={"users": same, "dashboard": same})
    ana, li = (htpasswd(site, "dashboard", user).split(":")[1] for user in same)
    assert ana != li
    assert door_hash(site, "ana") != door_hash(site, "li")


def test_the_salt_says_nothing_of_the_password() -> None:
    other = example_site(secrets={"users": {"ana": "quite another"}, "dashboard": {"root": "?"}})
    sites = (example_site(), other)
    first, second = (htpasswd(site, "dashboard", "root")[:27] for site in sites)
    assert first == second
    salts = {(door_hash(site, "ana") or "").split("$")[4] for site in sites}
    assert len(salts) == 1


def test_whoever_sets_their_own_password_has_no_hash_here() -> None:
    assert door_hash(example_site(secrets={}), "ana") is None


def test_a_password_that_bcrypt_would_cut_is_refused() -> None:
    with pytest.raises(ValueError, match="72 bytes"):
        htpasswd(example_site(secrets={"dashboard": {"root": "x" * 73}}), "dashboard", "root")


class _Registry(BaseHTTPRequestHandler):
    """Names an image of two layers and a configuration, on a base of its own; has all but one layer."""

    MANIFEST = json.dumps(
        {
            "config": {"digest": f"sha256:{'c' * 64}"},
            "layers": [{"digest": f"sha256:{'1' * 64}"}, {"digest": f"sha256:{'2' * 64}"}],
            "annotations": {"org.opencontainers.image.base.digest": f"sha256:{'b' * 64}"},
        },
        separators=(",", ":"),
    )
    HAS = ("c" * 64, "1" * 64)

    def do_GET(self) -> None:
        found = self.path == "/v2/vibevoice/manifests/t"
        self.send_response(200 if found else 404)
        self.end_headers()
        self.wfile.write(self.MANIFEST.encode() if found else b"")

    def do_HEAD(self) -> None:
        here = [f"/v2/vibevoice/blobs/sha256:{digest}" for digest in self.HAS]
        self.send_response(200 if self.path in here else 404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_a_registry_that_knows_an_image_by_name_alone_is_found_out() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Registry) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        registry = f"127.0.0.1:{server.server_port}"
        printed = {
            tag: subprocess.run(
                ["sh", "-c", missing_layers(registry, "vibevoice", tag)],
                capture_output=True,
                text=True,
                check=False,
            ).stdout
            for tag in ("t", "unknown")
        }
        server.shutdown()
    assert printed == {"t": f"sha256:{'2' * 64}\n", "unknown": ""}

"""The image's identity, known before anything is built; logins that stay the same."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import bcrypt
import pytest

from fleet import context, studio_image
from fleet.logins import htpasswd
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
    tag = studio_image.tag(example_site())
    assert tag == studio_image.tag(example_site())
    assert len(tag) == 12
    assert studio_image.tag(example_site(studio={"torch_index": "https://example.com/cpu"})) != tag


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
    assert studio_image.qualified(short) == full


def test_a_login_is_hashed_alike_every_time_and_checks() -> None:
    site = example_site()
    line = htpasswd(site, "p1", "ana")
    assert line == htpasswd(example_site(), "p1", "ana")
    user, _, hashed = line.partition(":")
    assert user == "ana"
    assert bcrypt.checkpw(b"ana-of-p1", hashed.encode())


def test_equal_passwords_have_unequal_hashes() -> None:
    same = {"p1": {"ana": "the same", "li": "the same"}, "p10": {"ana": "the same"}}
    site = example_site(secrets=same)
    places = [("p1", "ana"), ("p1", "li"), ("p10", "ana")]
    assert len({htpasswd(site, *place).split(":")[1] for place in places}) == 3


def test_the_salt_says_nothing_of_the_password() -> None:
    other = example_site(secrets={"p1": {"ana": "quite another"}})
    first, second = (htpasswd(site, "p1", "ana")[:33] for site in (example_site(), other))
    assert first == second


def test_a_password_that_bcrypt_would_cut_is_refused() -> None:
    with pytest.raises(ValueError, match="72 bytes"):
        htpasswd(example_site(secrets={"p1": {"ana": "x" * 73}}), "p1", "ana")

"""A site's history: what is kept, what is gone back to, and what a rollback leaves alone."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roles.studios import commands
from roles.studios.spec import Studio
from roles.versions import git, history
from roles.versions.history import Damaged, NoSuchVersion, Studios, Version

IMAGE = "10.88.0.1:5000/vibevoice@sha256:"


def studio(project: str, slot: int, spec: str) -> Studio:
    mounts = (
        "--mount",
        "type=bind,src=/srv/vibevoice/weights/tiny/c1,dst=/weights,readonly",
        "--mount",
        f"type=bind,src=/srv/vibevoice/projects/{project},dst=/data",
    )
    name = f"vv-{project}-{slot}-{spec}"
    return Studio(project, slot, spec, name, IMAGE + spec * 8, ("docker", "create", *mounts))


def version(n: int, **specs: str) -> Version:
    """A site whose projects have one studio each, of that specification."""
    projects = {
        name: Studios(f"gpu-{name}", "tiny", (studio(name, 0, spec),)) for name, spec in specs.items()
    }
    return Version(n, "2026-11-28T15:00:00Z", "ops@desk", "c3449cf762", False, "deploy", projects)


def specs(projects: dict[str, Studios]) -> dict[str, str]:
    return {name: one.studios[0].spec for name, one in projects.items()}


def test_what_is_written_is_read_again() -> None:
    versions = (version(1, a="s1"), version(2, a="s2", b="s1"))
    assert history.read([one.as_json() for one in versions]) == versions


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"n": 1}', version(1, a="s1").as_json().replace("slot", "sl0t")]
)
def test_a_damaged_line_is_named(line: str) -> None:
    with pytest.raises(Damaged, match="line 2"):
        history.read([version(1, a="s1").as_json(), line])


def test_a_deploy_without_a_change_is_no_version() -> None:
    versions = (version(1, a="s1"),)
    assert history.follow(versions, version(0, a="s1")) == versions
    assert [one.n for one in history.follow(versions, version(0, a="s2"))] == [1, 2]


@given(st.lists(st.sampled_from(["s1", "s2", "s3"]), min_size=1, max_size=20))
def test_the_last_five_are_kept_and_no_number_is_used_twice(deployed: list[str]) -> None:
    versions: tuple[Version, ...] = ()
    last = 0
    for spec in deployed:
        before, versions = versions, history.follow(versions, version(0, a=spec))
        assert specs(dict(versions[-1].projects)) == {"a": spec}
        last += versions != before
    assert len(versions) == min(last, history.KEPT)
    assert [one.n for one in versions] == list(range(last - len(versions) + 1, last + 1))


def test_without_a_number_it_is_the_last_that_was_different() -> None:
    past = (version(1, a="s1", b="s1"), version(2, a="s1", b="s2"), version(3, a="s1", b="s3"))
    assert history.earlier(past, None, None).n == 2
    assert history.earlier(past, "b", None).n == 2
    with pytest.raises(NoSuchVersion, match="a has been the same in all versions"):
        history.earlier(past, "a", None)


def test_a_project_goes_back_alone() -> None:
    now, then = version(2, a="s2", b="s2"), version(1, a="s1", b="s1")
    assert specs(history.returned(now, then, "a")) == {"a": "s1", "b": "s2"}
    assert specs(history.returned(now, then, None)) == {"a": "s1", "b": "s1"}


def test_what_has_come_or_gone_since_is_left_as_it_is() -> None:
    now, then = version(2, a="s2", new="s1"), version(1, a="s1", gone="s1")
    assert specs(history.returned(now, then, None)) == {"a": "s1", "new": "s1"}


def test_a_project_that_has_moved_since_is_not_started_where_its_jobs_are_not() -> None:
    now, then = version(2, a="s2", b="s2"), version(1, a="s1", b="s1")
    moved = replace(now, projects={**now.projects, "a": replace(now.projects["a"], node="gpu-9")})
    for project in ("a", None):
        with pytest.raises(NoSuchVersion, match="Version 1 had a on gpu-a; its jobs are on gpu-9 now"):
            history.returned(moved, then, project)
    assert specs(history.returned(moved, then, "b")) == {"a": "s2", "b": "s1"}


@pytest.mark.parametrize(
    ("project", "number", "words"),
    [
        (None, 7, "There is no version 7 .any more.. There are: 1, 2."),
        ("b", 1, "Version 1 had no b yet."),
        ("c", None, "No version has a project c. There are: a, b."),
    ],
)
def test_what_cannot_be_gone_back_to_is_said(project: str | None, number: int | None, words: str) -> None:
    with pytest.raises(NoSuchVersion, match=words):
        history.earlier((version(1, a="s1"), version(2, a="s2", b="s1")), project, number)


def test_a_new_site_has_nothing_to_go_back_to() -> None:
    with pytest.raises(NoSuchVersion, match="no version yet"):
        history.earlier((), None, None)


def test_images_of_all_versions_are_needed() -> None:
    past = (version(1, a="s1"), version(2, a="s2", b="s1"))
    assert history.images(past) == {IMAGE + "s1" * 8, IMAGE + "s2" * 8}


def test_what_a_node_lacks_is_printed(tmp_path: Path) -> None:
    """By a docker that has the first image alone, and a folder of weights that is not there."""
    docker = tmp_path / "docker"
    docker.write_text(f'#!/bin/sh\n[ "$3" = {IMAGE}{"s1" * 8} ]\n')
    docker.chmod(0o755)
    script = commands.missing([studio("a", 0, "s1"), studio("b", 0, "s2")])
    path = f"{tmp_path}:/usr/bin:/bin"
    done = subprocess.run(
        ["sh", "-c", script], env={"PATH": path}, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [IMAGE + "s2" * 8, "/srv/vibevoice/weights/tiny/c1"]


def in_git(folder: Path, *arguments: str) -> str:
    """A git command there, by somebody."""
    run = ["git", "-C", str(folder), "-c", "user.name=n", "-c", "user.email=e@example.com"]
    return subprocess.run([*run, *arguments], check=True, capture_output=True, text=True).stdout.strip()


def test_the_revision_says_whether_anything_is_uncommitted(tmp_path: Path) -> None:
    assert git.revision(tmp_path) == ("", False)
    in_git(tmp_path, "init", "-q")
    in_git(tmp_path, "commit", "-q", "--allow-empty", "-m", "one")
    head, dirty = git.revision(tmp_path)
    assert (len(head), dirty) == (10, False)
    (tmp_path / "new").touch()
    assert git.revision(tmp_path) == (head, True)


def test_a_checkout_lacks_what_is_not_in_its_history(tmp_path: Path) -> None:
    mine, older, shallow = tmp_path / "mine", tmp_path / "older", tmp_path / "shallow"
    assert not git.lacks("0123456789", tmp_path), "no git: nobody can tell"
    in_git(tmp_path, "init", "-q", str(mine))
    in_git(mine, "commit", "-q", "--allow-empty", "-m", "one")
    one, _ = git.revision(mine)
    in_git(tmp_path, "clone", "-q", str(mine), str(older))
    in_git(mine, "commit", "-q", "--allow-empty", "-m", "two")
    two, _ = git.revision(mine)
    in_git(tmp_path, "clone", "-q", "--depth=1", f"file://{mine}", str(shallow))
    assert [git.lacks(each, mine) for each in (one, two, "")] == [False, False, False]
    assert [git.lacks(each, older) for each in (one, two)] == [False, True], "before git fetch"
    in_git(older, "fetch", "-q")
    assert git.lacks(two, older), "fetched, and not pulled"
    assert not git.lacks(one, shallow), "nobody can tell"

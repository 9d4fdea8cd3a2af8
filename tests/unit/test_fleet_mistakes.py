"""Every mistake in an inventory gets its own clear message: where, what, and what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import inventories
import pytest
from inventories import change
from wrong_inventories import THIRD, WRONG


@pytest.mark.parametrize(("changes", "said"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_inventory_gets_its_own_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], said: str
) -> None:
    whole = inventories.inventory(tmp_path)
    for name in ("CORP", "CO_RP"):
        monkeypatch.setenv(f"VV_SECRET_SIGN_ON_{name}", "of-the-client")
    for name in ("PASSWORD", "REST_PASSWORD"):
        monkeypatch.setenv(f"VV_SECRET_BACKUP_{name}", "of-the-backups")
    for path, value in changes.items():
        change(whole, path, value)
    assert inventories.mistakes(tmp_path, whole) == [said]


def test_no_two_mistakes_read_the_same() -> None:
    said = [words for _, words in WRONG.values()]
    assert len(said) >= 25
    assert len(set(said)) == len(said)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Pod Cast", "which is no label of a URL: small letters, digits, hyphens inside."),
        ("-podcast", "which is no label of a URL: small letters, digits, hyphens inside."),
        ("a" * 31, "31 characters long; 30 are the most."),
        ("dashboard", "which the site keeps for itself. Choose another."),
    ],
)
def test_a_project_needs_a_name_that_can_be_in_a_url(tmp_path: Path, name: str, said: str) -> None:
    whole = inventories.inventory(tmp_path)
    change(whole, "projects.0.name", name)
    assert f'projects.{name}.name is "{name}", {said}' in inventories.mistakes(tmp_path, whole)


@pytest.mark.parametrize("user", ["an a", "ana:x", "", ".ana", "a" * 33])
def test_a_user_needs_a_name_that_can_log_in(tmp_path: Path, user: str) -> None:
    whole = inventories.inventory(tmp_path)
    change(whole, "projects.0.users.+", user)
    assert any(line.startswith("projects.podcast.users") for line in inventories.mistakes(tmp_path, whole))


def test_a_project_without_users_is_refused(tmp_path: Path) -> None:
    whole = inventories.inventory(tmp_path)
    change(whole, "projects.0.users", [])
    said = "projects.podcast.users is empty, so nobody could log in. Name at least one user, or groups."
    assert said in inventories.mistakes(tmp_path, whole)


def test_a_site_without_nodes_is_refused(tmp_path: Path) -> None:
    whole = inventories.inventory(tmp_path) | {"nodes": [], "projects": []}
    assert "nodes is empty. Name at least one host with GPUs." in inventories.mistakes(tmp_path, whole)


def test_jumps_that_go_round_are_shown_as_a_circle(tmp_path: Path) -> None:
    whole = inventories.inventory(tmp_path)
    change(whole, "gateway.ssh.jump", "gpu-2.lan")
    assert inventories.mistakes(tmp_path, whole) == [
        "gateway.ssh.jump goes round in a circle (gw.example.com → gpu-2.lan → gw.example.com). "
        "Reach one of them straight.",
        "nodes.gpu-2.lan.ssh.jump goes round in a circle (gpu-2.lan → gw.example.com → gpu-2.lan). "
        "Reach one of them straight.",
    ]


def test_a_missing_lock_names_the_command_that_writes_it(tmp_path: Path) -> None:
    whole = inventories.inventory(tmp_path)
    change(whole, "models.0.lock", str(tmp_path / "none.json"))
    assert inventories.mistakes(tmp_path, whole) == [
        "models.tiny.lock is none.json, and there is no such file. "
        "Run make weights-lock INVENTORY=site.py MODEL=tiny."
    ]


@pytest.mark.parametrize(
    ("lock", "said"),
    [
        ("{", "is no weights lock (the file"),
        (inventories.a_lock() | {"revision": "main"}, "is no weights lock (revision"),
        (inventories.a_lock() | {"repo": "lab/other"}, "pins lab/other, not lab/tiny."),
        (
            inventories.a_lock() | {"files": [{"path": "../x", "size": 1, "sha256": "a" * 64}]},
            "is no weights lock (files.0.path",
        ),
    ],
)
def test_a_wrong_lock_is_refused(tmp_path: Path, lock: Any, said: str) -> None:
    whole = inventories.inventory(tmp_path)
    (tmp_path / "tiny.lock.json").write_text(lock if isinstance(lock, str) else json.dumps(lock))
    (line,) = inventories.mistakes(tmp_path, whole)
    assert line.startswith("models.tiny.lock is tiny.lock.json, which ")
    assert said in line
    assert line.endswith("Run make weights-lock INVENTORY=site.py MODEL=tiny again.")


def test_a_missing_known_hosts_file_names_the_command_that_writes_it(tmp_path: Path) -> None:
    whole = inventories.inventory(tmp_path)
    (tmp_path / "site.known_hosts").unlink()
    assert inventories.mistakes(tmp_path, whole) == [
        "known_hosts is site.known_hosts, and there is no such file. "
        "Run make known-hosts INVENTORY=site.py, and compare the fingerprints."
    ]


def test_a_host_without_a_known_key_is_named(tmp_path: Path) -> None:
    whole = inventories.inventory(tmp_path)
    change(whole, "nodes.1.ssh.port", 2222)
    assert inventories.mistakes(tmp_path, whole) == [
        "nodes.gpu-2.lan.host is gpu-2.lan, whose key is not in site.known_hosts. "
        "Run make known-hosts INVENTORY=site.py, and compare the fingerprints."
    ]


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    whole = inventories.inventory(tmp_path)
    change(whole, "domain", None)
    change(whole, "acme.email", "ops")
    change(whole, "nodes.0.gpus", "four")
    change(whole, "nodes.0.gpu_memroy", "1GiB")
    change(whole, "projects.0.modle", "tiny")
    change(whole, "projects.0.node", "gpu-9.example.com")
    change(whole, "projects.+", THIRD | {"model": "70b"})
    said = "\n".join(inventories.mistakes(tmp_path, whole))
    for key in (
        "domain", "acme.email", "nodes.gpu-1.example.com.gpus", "nodes.gpu-1.example.com.gpu_memroy",
        "projects.podcast.modle", "projects.podcast.node", "projects.news.model",
    ):  # fmt: skip
        assert f"{key} " in said
    assert len(said.splitlines()) == 7


@pytest.mark.parametrize("whole", [None, [], "site", {}, {"nodes": 3, "gateway": [], "projects": [1, None]}])
def test_nonsense_is_reported_and_never_a_traceback(tmp_path: Path, whole: Any) -> None:
    assert inventories.mistakes(tmp_path, whole)

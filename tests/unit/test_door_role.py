"""What the deploy tells the door, and how its two containers run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import argon2
import pytest

from fleet import Site, names
from roles.door import config, containers
from tests.unit.examples import example_site
from tests.unit.real_programs import complaints

SIGN_ON = {"name": "corp", "issuer": "https://id.example.com", "client_id": "studio"}
ISSUER = {"name": "ci", "issuer": "https://ci.example.com", "audience": "vibevoice"}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    ca = tmp_path / "ca.pem"
    ca.write_text("a certificate")
    whole = example_site()
    project = whole.projects[0].model_dump(exclude_defaults=True)
    project |= {
        "users": ["ana"],
        "groups": ["corp:team"],
        "limits": {"upload": "1MiB", "minutes_per_day": 60},
    }
    return example_site(
        projects=[project],
        sign_on=[SIGN_ON | {"ca": ca}],
        issuers=[ISSUER],
        secrets={"users": {"ana": "the password of ana"}, "sign_on": {"corp": "of the client"}},
        door={"session_hours": 8},
    )


def told(site: Site) -> dict[str, Any]:
    return json.loads(config.render(site))


def test_the_door_knows_people_by_their_hashes(site: Site) -> None:
    hashed = told(site)["users"]["ana"]
    assert argon2.PasswordHasher().verify(hashed, "the password of ana")
    assert "the password of ana" not in config.render(site)


def test_whoever_has_no_password_here_is_known_without() -> None:
    assert told(example_site(secrets={}))["users"] == {"ana": None, "li": None}


def test_a_project_comes_with_node_groups_and_limits(site: Site) -> None:
    assert told(site)["projects"] == [
        {
            "name": "p1",
            "users": ["ana"],
            "groups": ["corp:team"],
            "node_url": "http://10.88.0.11:8080",
            "limits": {
                "requests_per_s": 100, "streams": 32, "upload_bytes": 2**20, "minutes_per_day": 60,
            },
        }
    ]  # fmt: skip


def test_a_provider_comes_with_its_secret_and_its_authority(site: Site) -> None:
    (provider,) = told(site)["sign_on"]
    assert provider["client_secret"] == "of the client"
    assert provider["label"] == "corp"
    files = {file.dest: file for file in config.files(site)}
    assert files[provider["ca"]].content == "a certificate"
    assert told(site)["issuers"][0]["ca"] is None


def test_knobs_reach_the_door(site: Site) -> None:
    assert told(site)["session_hours"] == 8
    assert told(site)["key_days"] == 365


def test_only_the_door_reads_what_it_is_told(site: Site) -> None:
    for file in config.files(site):
        assert (file.mode, file.user, file.group) == ("640", "root", config.USER)


def test_the_same_site_is_told_in_the_same_words(site: Site) -> None:
    assert config.render(site) == config.render(site)
    digest = config.digest(config.files(site))
    assert len(digest) == 16
    assert digest != config.digest(config.files(example_site()))


def test_a_door_has_no_rights_and_listens_on_loopback(site: Site) -> None:
    for name in names.DOORS:
        arguments = " ".join(containers.door(site, name, "door@sha256:0").arguments)
        for option in ("--read-only", "--cap-drop ALL", "--user 10002:10002", "DOOR_HOST=127.0.0.1"):
            assert option in arguments
        assert "--publish" not in arguments


def test_people_and_projects_do_not_restart_a_door(site: Site) -> None:
    for name in names.DOORS:
        one, other = (containers.door(each, name, "door@sha256:0").spec for each in (site, example_site()))
        assert one == other


@pytest.mark.parametrize(
    "script",
    [
        containers.until_it_answers("vv-door-a"),
        containers.known("0" * 16),
        containers.until_known("0" * 16),
        containers.probe(["p1", "p10"]),
        containers.ask("end", "o'neil"),
    ],
)
def test_the_shell_of_the_role_is_shell(script: str) -> None:
    assert complaints(["sh", "-n", "-c", script]) == ""

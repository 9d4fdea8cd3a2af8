"""Secrets: where they may be, who may read them, and that they stay secret."""

from __future__ import annotations

from pathlib import Path

import inventories
import pytest
from inventories import SECRETS


def test_a_secret_comes_from_the_file(tmp_path: Path) -> None:
    site = inventories.site(tmp_path, inventories.inventory(tmp_path))
    assert site.secret("users", "li") == SECRETS["users"]["li"]


def test_the_environment_comes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VV_SECRET_USERS_LI", "from-the-environment")
    site = inventories.site(tmp_path, inventories.inventory(tmp_path))
    assert site.secret("users", "li") == "from-the-environment"


def test_the_environment_alone_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = inventories.inventory(tmp_path)
    (tmp_path / "site.secrets.toml").unlink()
    for user, secret in SECRETS["users"].items():
        monkeypatch.setenv(f"VV_SECRET_USERS_{user}".upper(), secret)
    assert inventories.site(tmp_path, whole).secret("users", "ana") == SECRETS["users"]["ana"]


def test_whoever_has_no_password_here_sets_one_by_an_invitation(tmp_path: Path) -> None:
    whole = inventories.inventory(tmp_path)
    inventories.write_secrets(tmp_path, {"users": {"li": "another-password"}})
    site = inventories.site(tmp_path, whole)
    assert site.login("podcast") == ("li", "another-password")
    with pytest.raises(KeyError):
        site.login("debate")


def test_a_provider_has_a_client_secret(tmp_path: Path) -> None:
    whole = inventories.inventory(tmp_path)
    whole["sign_on"] = [{"name": "corp", "issuer": "https://id.example.com", "client_id": "studio"}]
    assert inventories.mistakes(tmp_path, whole) == [
        "sign_on.corp has no secret for corp. Set VV_SECRET_SIGN_ON_CORP in the environment, "
        'or corp = "…" below [sign_on] in site.secrets.toml.'
    ]
    inventories.write_secrets(tmp_path, SECRETS | {"sign_on": {"corp": "s"}})
    assert inventories.site(tmp_path, whole).secret("sign_on", "corp") == "s"


def test_backups_are_encrypted_with_a_secret_and_their_storage_has_its_own(tmp_path: Path) -> None:
    whole = inventories.inventory(tmp_path)
    whole["backup"] = {"repository": "s3:https://s3.example.com/vv", "env": ["AWS_SECRET_ACCESS_KEY"]}
    assert inventories.mistakes(tmp_path, whole) == [
        "backup.repository has no secret for password. Set VV_SECRET_BACKUP_PASSWORD in the environment, "
        'or password = "…" below [backup] in site.secrets.toml.',
        "backup.env has no secret for AWS_SECRET_ACCESS_KEY. Set VV_SECRET_BACKUP_AWS_SECRET_ACCESS_KEY in "
        'the environment, or AWS_SECRET_ACCESS_KEY = "…" below [backup] in site.secrets.toml.',
    ]
    given = {"password": "p", "AWS_SECRET_ACCESS_KEY": "k"}
    inventories.write_secrets(tmp_path, SECRETS | {"backup": given})
    assert inventories.site(tmp_path, whole).secret("backup", "password") == "p"


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    whole = inventories.inventory(tmp_path)
    inventories.write_secrets(tmp_path, SECRETS, mode=0o640)
    assert inventories.mistakes(tmp_path, whole) == [
        "site.secrets.toml has mode 0640, so others can read the secrets. Run chmod 600 site.secrets.toml."
    ]


def test_a_file_that_is_no_toml_is_refused(tmp_path: Path) -> None:
    whole = inventories.inventory(tmp_path)
    (tmp_path / "site.secrets.toml").write_text("[users\n")
    (said,) = inventories.mistakes(tmp_path, whole)
    assert said.startswith("site.secrets.toml cannot be read as TOML:")


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        ("short", "projects.podcast (users/ana: the secret) has 5 characters; 12 are the least."),
        (
            "x" * 73,
            "projects.podcast (users/ana: the secret) has more than 72 bytes, more than a login takes.",
        ),
        (
            "with-a-tab\\tinside",
            "projects.podcast (users/ana: the secret) holds a line break or another character that cannot be "
            "typed.",
        ),
    ],
)
def test_a_weak_secret_is_refused_and_not_shown(tmp_path: Path, secret: str, said: str) -> None:
    whole = inventories.inventory(tmp_path)
    inventories.write_secrets(tmp_path, {"users": {"ana": secret}})
    assert inventories.mistakes(tmp_path, whole) == [said]
    assert secret not in said


def test_a_secret_for_nobody_is_refused(tmp_path: Path) -> None:
    """Most likely it was meant for somebody."""
    whole = inventories.inventory(tmp_path)
    users = SECRETS["users"] | {"mia": "a-fourth-password"}
    inventories.write_secrets(tmp_path, {"users": users, "uesrs": {"bo": "a-fifth-password"}})
    assert inventories.mistakes(tmp_path, whole) == [
        "site.secrets.toml: [users] mia is nobody there. Remove it, or add the name to the inventory.",
        "site.secrets.toml: [uesrs] belongs to nothing here. Did you mean users?",
    ]


def test_passwords_by_project_are_told_where_they_belong_now(tmp_path: Path) -> None:
    whole = inventories.inventory(tmp_path)
    inventories.write_secrets(tmp_path, {"podcast": SECRETS["users"]})
    assert inventories.mistakes(tmp_path, whole) == [
        "site.secrets.toml: [podcast] belongs to nothing here. A person has one password for all projects: "
        "move it below [users]."
    ]


def test_a_user_with_a_dot_is_a_quoted_key(tmp_path: Path) -> None:
    whole = inventories.inventory(tmp_path) | {"traefik": {"dashboard_users": ["li.na"]}}
    assert inventories.mistakes(tmp_path, whole) == [
        "traefik.dashboard_users has no secret for li.na. Set VV_SECRET_DASHBOARD_LI_NA in the environment, "
        'or "li.na" = "…" below [dashboard] in site.secrets.toml.'
    ]


def test_two_users_never_share_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = inventories.inventory(tmp_path)
    inventories.change(whole, "projects.1.users", ["x.y", "x-y"])
    inventories.write_secrets(
        tmp_path, {"users": SECRETS["users"] | {"x.y": "one-password", "x-y": "other-password"}}
    )
    assert inventories.mistakes(tmp_path, whole) == []
    monkeypatch.setenv("VV_SECRET_USERS_X_Y", "meant-for-one-of-them")
    assert inventories.mistakes(tmp_path, whole) == [
        "projects.debate and projects.debate both read VV_SECRET_USERS_X_Y. "
        "Put these secrets into the secrets file instead."
    ]


def test_dashboard_and_dns_provider_have_secrets_of_their_own(tmp_path: Path) -> None:
    whole = inventories.inventory(tmp_path) | {"traefik": {"dashboard_users": ["root"]}}
    whole["acme"] |= {"challenge": "dns", "dns_provider": "gandiv5", "dns_env": ["GANDIV5_API_KEY"]}
    assert inventories.mistakes(tmp_path, whole) == [
        "traefik.dashboard_users has no secret for root. Set VV_SECRET_DASHBOARD_ROOT in the environment, "
        'or root = "…" below [dashboard] in site.secrets.toml.',
        "acme.dns_env has no secret for GANDIV5_API_KEY. Set VV_SECRET_ACME_GANDIV5_API_KEY in the "
        'environment, or GANDIV5_API_KEY = "…" below [acme] in site.secrets.toml.',
    ]


def test_a_site_never_prints_its_secrets(tmp_path: Path) -> None:
    site = inventories.site(tmp_path, inventories.inventory(tmp_path))
    for text in (repr(site), str(site), site.model_dump_json(), str(site.model_dump())):
        assert not any(secret in text for users in SECRETS.values() for secret in users.values())

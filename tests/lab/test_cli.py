"""The command line: mistakes are errors, secrets are nobody's business."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from roles.door.config import CONFIG
from tests.box.deploy import Deploy, deploy
from tests.box.fixtures import Hosts
from tests.box.lab import INVENTORY, REPORTS, Lab

# Refused before any connection: seconds, not a deploy.
QUICK_S = 20
PLACES = ("/etc/vibevoice", "/srv/vibevoice/projects", "/srv/vibevoice/door", "/root", "/tmp")


def test_a_mistyped_limit_is_an_error() -> None:
    run = Deploy("-y", "--limit", "gpu-7", log="limit-typo").wait(QUICK_S)
    assert run.code == 1, run.tail
    assert "gpu-7" in run.text
    assert "gpu-1" in run.text, "the hosts there are"
    assert not run.operations()


def test_a_mistyped_inventory_is_an_error() -> None:
    run = Deploy("-y", inventory=Path("inventory/lap.py"), log="inventory-typo").wait(QUICK_S)
    assert run.code == 1, run.tail
    assert "inventory/lap.py" in run.text
    assert "inventory/lab.py" in run.text, "the inventories there are"


def test_a_limit_that_is_right_touches_that_host_alone() -> None:
    run = deploy("-y", "--json", "--limit", "gpu-1", log="limit-gpu-1")
    touched = {host for operation in run.json["results"]["operations"] for host in operation["no_change"]} | {
        host for changed in run.changes.values() for host in changed
    }
    assert touched == {"gpu-1"}


@pytest.fixture
def every_password(lab: Lab) -> set[str]:
    """All logins of the site, from where the operator keeps them."""
    tables = tomllib.loads(INVENTORY.with_name("lab.secrets.toml").read_text())
    found = {password for users in tables.values() for password in users.values()}
    assert {login.password for login in lab.logins.values()} <= found
    return found


def test_not_even_the_noisiest_run_shows_a_secret(hosts: Hosts, every_password: set[str]) -> None:
    gateway = hosts["gateway"]
    # Something to write and to show as a difference, the logins among it.
    gateway.check_output("sed -i 's/\"session_hours\": /&1/' %s", CONFIG)
    run = deploy("-y", "-vvv", "--diff", "--debug", log="noisy")
    assert run.operations()
    told = run.text + run.stdout
    assert not [password for password in every_password if password in told]
    assert "argon2" not in told, "a password's hash"
    keys = [hosts[name].check_output("cat /etc/wireguard/*.key") for name in ("gateway", "gpu-1", "gpu-2")]
    assert len(set(keys)) == 3
    assert not [key for key in keys if key.strip() in told], "a host's private key"


def test_no_log_of_any_run_has_a_secret(every_password: set[str]) -> None:
    for log in REPORTS.glob("*.log"):
        text = log.read_text(errors="replace")
        assert not [password for password in every_password if password in text], log


def test_passwords_of_people_are_not_on_the_hosts(lab: Lab, hosts: Hosts, every_password: set[str]) -> None:
    """Those of the backups' storage have to be: each host uses it by itself (root alone reads them)."""
    people, pattern = "\n".join(sorted(lab.users.values())), "\n".join(sorted(every_password))
    for name in ("gateway", "gpu-1", "gpu-2"):
        found = hosts[name].run(f"grep -rlF -- %s {' '.join(PLACES)}", people)
        assert not found.stdout.strip(), f"{name}: {found.stdout}"
        secrets = hosts[name].run("ps -eo args | grep -F -- %s | grep -v grep", pattern)
        assert not secrets.stdout.strip(), name

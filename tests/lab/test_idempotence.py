"""A run brings the site to what the inventory says, and then there is nothing left to do."""

from __future__ import annotations

import pytest
import requests

from tests.box.containers import ids, studios
from tests.box.deploy import Run, deploy
from tests.box.fixtures import Hosts, Logins
from tests.box.web import answers


@pytest.fixture(scope="module", autouse=True)
def converged() -> Run:
    """Whatever came before: the site is as the inventory has it."""
    return deploy("-y", log="converge")


def test_a_second_run_changes_nothing_and_says_so(hosts: Hosts) -> None:
    before = {name: ids(hosts[name]) for name in ("gpu-1", "gpu-2")}
    run = deploy("-y", "--json", log="second-run")
    assert run.changes == {}
    totals = run.json["results"]["totals"]
    assert totals["success"] == totals["error"] == 0
    assert totals["no_change"] > 0
    assert {name: ids(hosts[name]) for name in ("gpu-1", "gpu-2")} == before


def test_a_dry_run_plans_no_change_for_any_host() -> None:
    plan = deploy("--dry", "--json", log="dry-run").json["plan"]
    assert plan
    changes = {operation["name"]: operation["hosts_with_change"] for operation in plan}
    assert {name: hosts for name, hosts in changes.items() if hosts} == {}


@pytest.mark.thorough
def test_a_studio_removed_by_hand_comes_back_and_nothing_else_changes(
    hosts: Hosts, logins: Logins, web: requests.Session
) -> None:
    lost, kept = studios(hosts["gpu-1"])
    others = ids(hosts["gpu-2"])
    hosts["gpu-1"].check_output("docker rm --force %s", lost.name)
    run = deploy("-y", "--json", log="drift-studio")
    after = {studio.name: studio for studio in studios(hosts["gpu-1"])}
    assert after.keys() == {lost.name, kept.name}
    assert after[kept.name].id == kept.id
    assert after[lost.name].gpus == lost.gpus
    assert ids(hosts["gpu-2"]) == others
    assert {name for changed in run.changes.values() for name in changed} == {"gpu-1"}
    assert all("studio" in name.lower() for name in run.changes), run.changes
    answers(web, logins["podcast"].url, logins["podcast"].auth, 60)


@pytest.mark.thorough  # in every run test_dry_run.py has such changes put right
@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("gateway", "/etc/vibevoice/traefik/dynamic/*.yml"),
        ("gpu-2", "/etc/vibevoice/traefik/dynamic/*.yml"),
        ("gpu-1", "/etc/vibevoice/firewall.nft"),
    ],
)
def test_a_file_edited_by_hand_is_put_right_and_nothing_else_changes(
    hosts: Hosts, name: str, pattern: str
) -> None:
    host = hosts[name]
    file = host.check_output(f"ls {pattern} | head -1")
    before = host.check_output("sha256sum %s", file)
    studios_before = {node: ids(hosts[node]) for node in ("gpu-1", "gpu-2")}
    host.check_output("echo '# by hand' >>%s", file)
    run = deploy("-y", "--json", log=f"drift-{name}")
    assert host.check_output("sha256sum %s", file) == before
    assert {one for changed in run.changes.values() for one in changed} == {name}
    assert {node: ids(hosts[node]) for node in ("gpu-1", "gpu-2")} == studios_before

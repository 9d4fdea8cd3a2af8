"""A dry run lists, host by host, exactly what the run after it changes, and changes nothing itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.box.deploy import Run, deploy
from tests.box.fixtures import Hosts
from tests.box.lab import INVENTORY

pytestmark = pytest.mark.usefixtures("declared")

CHANGED = '''"""The lab's site, with a change."""

from fleet import site
from lab.site import lab_site

_site = lab_site()
{change}
gateway, gpu = site(__file__, _site)
'''

# What an operator may change in the inventory, and the hosts it concerns.
DECLARED = {
    "a limit of a project": (
        '_site["projects"][0]["limits"] = {"requests_per_s": 90}',
        {"gateway"},
    ),
    "a knob of Traefik": (
        '_site["traefik"] = {"idle_timeout_s": 200}',
        {"gateway", "gpu-1", "gpu-2"},
    ),
    "a new project in another's place": (
        '_site["projects"][0]["gpus"] = 1; _site["projects"].append('
        '{"name": "radio", "node": "gpu-1", "gpus": 1, "model": "tiny", "users": ["ana"]})',
        {"gateway", "gpu-1"},
    ),
    "a knob of the studios": (
        '_site["studio"] |= {"stop_grace_s": 15}',
        # The gateway writes the site's versions down.
        {"gateway", "gpu-1", "gpu-2"},
    ),
}

# What somebody may have done by hand, by host: command, and the operation that puts it right.
BY_HAND = {
    "gateway": {
        "echo >> /etc/vibevoice/door/site.json": "Door | Tell the door about people and projects",
        "docker stop vv-traefik": "Gateway | Run Traefik",
    },
    "gpu-1": {
        "sysctl -w net.ipv4.tcp_keepalive_time=7200": "Base | Apply kernel settings",
        "docker stop vv-docker-proxy": "Node proxy | Run the Docker filter",
        "apt-mark unhold docker.io": "Docker | Install Docker",
    },
    "gpu-2": {
        "echo '# by hand' >> /etc/ssh/sshd_config.d/10-vibevoice.conf": (
            "Base | Configure apt, kernel, journal and sshd"
        ),
        "docker stop $(docker ps -q --filter label=vibevoice.project)": (
            "Studios | Run one studio on each GPU"
        ),
    },
}


def test_what_was_done_by_hand_is_listed_and_put_right(hosts: Hosts) -> None:
    for name, done in BY_HAND.items():
        for command in done:
            hosts[name].check_output(command)
    planned = as_listed(INVENTORY, "by hand")
    assert {host for _, host in planned} == set(BY_HAND)
    for name, done in BY_HAND.items():
        assert set(done.values()) <= {operation for operation, host in planned if host == name}


@pytest.mark.thorough
@pytest.mark.parametrize("what", DECLARED)
def test_what_the_inventory_changes_is_listed_and_changed(tmp_path: Path, what: str) -> None:
    change, concerned = DECLARED[what]
    inventory = tmp_path / "lab.py"
    inventory.write_text(CHANGED.format(change=change))
    planned = as_listed(inventory, what)
    assert {host for _, host in planned} == concerned
    # And back.
    assert {host for _, host in as_listed(INVENTORY, f"{what}, back")} == concerned


def as_listed(inventory: Path, what: str) -> set[tuple[str, str]]:
    """What a dry run lists, once the run after it has changed just that: `(operation, host)`.

    So the dry run itself has changed nothing.
    """
    log = "".join(letter if letter.isalnum() else "-" for letter in what)
    planned = plan(deploy("--dry", "--json", inventory=inventory, log=f"dry-{log}"))
    run = deploy("-y", "--json", inventory=inventory, log=f"real-{log}")
    done = {(operation, host) for operation, changed in run.changes.items() for host in changed}
    assert planned == done, f"only planned: {planned - done}; only done: {done - planned}"
    return planned


def plan(run: Run) -> set[tuple[str, str]]:
    """What a dry run lists: `(operation, host)`."""
    operations = run.json["plan"]
    perhaps = {one["name"]: one["hosts_with_conditional_change"] for one in operations}
    assert not any(perhaps.values()), f"may happen or not: {perhaps}"
    return {(one["name"], host) for one in operations for host in one["hosts_with_change"]}

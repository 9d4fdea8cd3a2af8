"""The lab's hosts are machines: they reboot, lose power, and can be made bare again."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.box.fixtures import Hosts
from tests.box.lab import REPO, Lab, command


@pytest.mark.parametrize(
    ("name", "release"),
    [("gateway", "trixie"), ("gpu-1", "trixie"), ("gpu-2", "bookworm"), ("visitor", "trixie")],
)
def test_each_host_runs_its_release_under_its_own_systemd(hosts: Hosts, name: str, release: str) -> None:
    assert hosts[name].check_output(". /etc/os-release; echo $VERSION_CODENAME") == release
    assert hosts[name].check_output("hostname") == name
    assert hosts[name].check_output("ps -o comm= -p 1") == "systemd"


def test_docker_and_apt_lie_on_a_plain_disk(hosts: Hosts) -> None:
    for folder in ("/var/lib/docker", "/var/lib/containers", "/srv/vibevoice", "/var/cache/apt/archives"):
        assert hosts["gpu-1"].check_output(f"findmnt -no FSTYPE --target {folder}") != "overlay"


def test_root_may_not_log_in_where_operators_use_sudo(hosts: Hosts, lab: Lab) -> None:
    assert hosts["gpu-2"].check_output("id -un") == "root"  # by sudo
    argv = ["ssh", "-F", str(lab.ssh_config), "-l", "root", "gpu-2", "true"]
    refused = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert "Permission denied" in refused.stderr


def test_a_host_that_reboots_comes_back_with_its_disk(hosts: Hosts) -> None:
    visitor = hosts["visitor"]
    visitor.check_output("echo here > /root/left")
    before = visitor.check_output("cat /proc/sys/kernel/random/boot_id")
    command("reboot", "visitor")
    assert visitor.check_output("cat /proc/sys/kernel/random/boot_id") != before
    assert visitor.check_output("cat /root/left") == "here"


@pytest.mark.thorough
def test_a_host_without_power_stays_off_until_it_is_booted(hosts: Hosts) -> None:
    command("kill", "visitor")
    with pytest.raises(RuntimeError, match=r"Connection timed out|No route to host"):
        hosts["visitor"].run("true")
    command("boot", "visitor")
    assert hosts["visitor"].run("true").rc == 0


def test_a_reset_host_is_bare_and_keeps_its_ssh_identity(hosts: Hosts) -> None:
    visitor = hosts["visitor"]
    visitor.check_output("touch /root/left")
    command("reset", "visitor")
    # The strict host key check of this very connection is the second half of the promise.
    assert visitor.run("test -e /root/left").rc == 1


def test_an_unknown_host_is_named_together_with_the_known_ones() -> None:
    argv = [sys.executable, "-m", "lab", "boot", "gpu-7"]
    answer = subprocess.run(argv, cwd=REPO, capture_output=True, text=True, timeout=60, check=False)
    assert answer.returncode == 1
    assert answer.stderr.strip() == "no lab host is called gpu-7: there are gateway, gpu-1, gpu-2, visitor"

"""What an upgrade tells apt, and what speaks against it."""

from __future__ import annotations

import os
import subprocess

import gevent
import pytest

from roles.nvidia.reboot import SAVE_AND_REBOOT
from roles.upgrade import Steps, chosen, steps_for
from roles.upgrade.plan import (
    STATE,
    Package,
    Prospect,
    in_words,
    objections,
    question,
    read,
    reason_to_reboot,
)
from roles.upgrade.turns import Stopped, Turns
from steps.options import Mistake
from steps.platform import Platform
from tests.unit.examples import example_site
from tests.unit.real_programs import complaints

SITE = example_site()
NODE = SITE.nodes[0]
CARD = "0000:3b:00.0 3D controller [0302]: NVIDIA Corporation GH100 [H200] [10de:2335] (rev a1)"
DEBIAN = Platform("debian", "13", "trixie", "amd64", "6.12.48-amd64", False, (CARD,))
UBUNTU = Platform("ubuntu", "24.04", "noble", "amd64", "6.8.0-71-generic", False, (CARD,))
BRANCH = SITE.nvidia.branch

# As apt-get -s, dpkg --audit and the rest print it.
SAID = """\
Inst containerd.io [1.7.24-1] (1.7.27-1 Docker:bookworm [amd64])
Inst docker-ce [5:26.1.5-1~debian.12~bookworm] (5:26.1.6-1~debian.12~bookworm Docker:bookworm [amd64]) []
Inst linux-image-6.12.57-amd64 (6.12.57-1 Debian-Security:13/stable-security [amd64])
Conf docker-ce (5:26.1.6-1~debian.12~bookworm Docker:bookworm [amd64])
kernel 6.12.48-amd64
newest 6.12.48-amd64
free / 9000000000
free /boot 400000000
""".splitlines()


def test_all_kinds_are_upgraded_unless_some_are_named() -> None:
    assert chosen("") == ("driver", "docker", "kernel")
    assert chosen("kernel, driver") == ("driver", "kernel")
    with pytest.raises(Mistake, match="driver, docker, kernel"):
        chosen("drivers")


def test_the_driver_stays_in_its_branch() -> None:
    steps = steps_for(SITE, NODE, DEBIAN, ["driver"])
    assert not steps.everything
    assert all(entry.endswith(f"={BRANCH}.*") for entry in steps.install)
    assert "nvidia-driver-cuda" in steps.names


def test_the_gateway_has_no_driver() -> None:
    steps = steps_for(SITE, SITE.gateway, DEBIAN, ["driver", "docker"])
    assert steps.names == ["docker.io", "docker-cli"]


def test_a_new_kernel_comes_with_what_its_module_is_built_from() -> None:
    """Held headers would leave the kernel of the next boot without a driver."""
    assert {"dkms", "linux-headers-amd64"} <= set(steps_for(SITE, NODE, DEBIAN, ["kernel"]).names)
    (module,) = steps_for(SITE, NODE, UBUNTU, ["kernel"]).names
    assert module.startswith(f"linux-modules-nvidia-{BRANCH}")
    assert steps_for(SITE, NODE, DEBIAN, ["kernel"]).everything


def test_headers_come_before_the_kernel() -> None:
    first, second = Steps(("dkms", "linux-headers-amd64"), everything=True).commands()
    assert first.endswith("dkms linux-headers-amd64")
    assert second.endswith("--with-new-pkgs upgrade")


def test_a_look_installs_nothing() -> None:
    assert all(" -s " in command for command in Steps(("docker-ce",), True).commands(simulate=True))


def test_what_apt_says_is_read() -> None:
    found = read(SAID)
    assert found.packages == (
        Package("containerd.io", "1.7.24-1", "1.7.27-1"),
        Package("docker-ce", "5:26.1.5-1~debian.12~bookworm", "5:26.1.6-1~debian.12~bookworm"),
        Package("linux-image-6.12.57-amd64", "", "6.12.57-1"),
    )
    assert objections(found) == []
    assert reason_to_reboot(found) is None
    assert in_words(found.packages, most=1) == "containerd.io 1.7.24-1 → 1.7.27-1, and 2 more"


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["E: Version '595.*' for 'nvidia-driver-cuda' was not found"], "595"),
        (["apt E: Failed to fetch http://deb.example.com/InRelease"], "Failed to fetch"),
        (["broken nvidia-kernel-open-dkms"], "dpkg --configure -a"),
        (["Remv docker-ce [5:26.1.5]"], "would remove docker-ce"),
        (["free / 1000000000"], "are needed"),
        (["free /boot 1000000"], "on /boot"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_drained(lines: list[str], words: str) -> None:
    (sentence,) = objections(
        read([*(line for line in SAID if line.split()[:2] != lines[0].split()[:2]), *lines])
    )
    assert words in sentence


def test_a_host_is_rebooted_for_its_kernel_and_where_a_package_asks() -> None:
    assert "6.12.57" in (reason_to_reboot(Prospect(newest="6.12.57-amd64", kernel="6.12.48-amd64")) or "")
    assert "reboot-required" in (reason_to_reboot(Prospect(kernel="6.12.48-amd64", asks=True)) or "")
    # A container has no kernel of its own.
    assert reason_to_reboot(Prospect(newest="", kernel="6.12.48-amd64")) is None


def test_a_host_is_asked_in_words_that_its_shell_understands() -> None:
    """The state of this very machine, as the script reads it."""
    said = subprocess.run(["sh", "-c", STATE], capture_output=True, text=True, check=True).stdout
    found = read(said.splitlines())
    assert found.kernel == os.uname().release
    assert dict(found.free)["/"] > 0
    asked = question(Steps(("docker-ce", f"nvidia-driver-cuda={BRANCH}.*"), everything=True))
    assert complaints(["sh", "-n"], text=asked) == ""
    assert complaints(["sh", "-n"], text=SAVE_AND_REBOOT) == ""


def _round(hosts: list[str], failing: str = "") -> list[str]:
    """What happens when all hosts ask for their turn at once, the last one first."""
    turns, happened = Turns(hosts), []

    def host(name: str) -> None:
        try:
            with turns.turn(name):
                happened.append(f"{name} begins")
                gevent.sleep(0.01)
                if name == failing:
                    raise RuntimeError
                happened.append(f"{name} ends")
        except Stopped as stopped:
            happened.append(f"{name} left because of {stopped}")
        except RuntimeError:
            happened.append(f"{name} fails")

    gevent.joinall([gevent.spawn(host, name) for name in reversed(hosts)], timeout=5, raise_error=True)
    return happened


def test_hosts_take_turns_in_their_order() -> None:
    assert _round(["a", "b", "c"]) == ["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"]


def test_no_host_is_touched_after_one_that_failed() -> None:
    happened = _round(["a", "b", "c"], failing="b")
    assert happened == ["a begins", "a ends", "b begins", "b fails", "c left because of b"]

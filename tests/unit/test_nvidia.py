"""Which driver a host gets, and when only a reboot helps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from roles.nvidia.condition import (
    MIB,
    Condition,
    Gpu,
    complaints,
    may_load,
    read,
    reason_to_reboot,
    without_cdi,
    works,
)
from roles.nvidia.driver import Device, DriverError, flavour, gpus, needs_fabric_manager, needs_link_manager
from roles.nvidia.plan import plan
from steps.files import TEMPLATES, render
from tests.unit import real_programs
from tests.unit.examples import example_site
from tests.unit.test_docker import platform

SITE = example_site()
NODE = SITE.nodes[1]


def line(device: str, bus: int = 1, kind: str = "3D controller [0302]") -> str:
    return f"0000:{bus:02x}:00.0 {kind}: NVIDIA Corporation Some [Card] [10de:{device}] (rev a1)"


@pytest.mark.parametrize(
    ("device", "generation"),
    [
        ("13ba", "Maxwell"),  # Quadro K2200
        ("17fd", "Maxwell"),  # Tesla M40
        ("1b06", "Pascal"),  # GTX 1080 Ti
        ("15f8", "Pascal"),  # Tesla P100
        ("1db6", "Volta"),  # Tesla V100
        ("1eb8", "Turing"),  # T4
        ("2184", "Turing"),  # GTX 1660
        ("20b5", "Ampere"),  # A100 80 GB
        ("2236", "Ampere"),  # A10
        ("25b6", "Ampere"),  # A16, A2
        ("26b1", "Ada"),  # RTX 6000 Ada
        ("27b8", "Ada"),  # L4
        ("2330", "Hopper"),  # H100 SXM
        ("2335", "Hopper"),  # H200
        ("2901", "Blackwell"),  # B200
        ("2b85", "Blackwell"),  # RTX 5090
        ("2bb1", "Blackwell"),  # RTX PRO 6000
        ("3182", "Blackwell"),  # B300
    ],
)
def test_a_generation_is_read_from_the_device_id(device: str, generation: str) -> None:
    assert gpus([line(device)])[0].generation == generation


@pytest.mark.parametrize(
    ("devices", "kind"),
    [(["13ba"], "proprietary"), (["1db6"], "proprietary"), (["1eb8"], "open"), (["2335"], "open"),
     (["2b85"], "open"), (["1db6", "1eb8"], "proprietary"), (["3fff"], "open")],
)  # fmt: skip
def test_the_module_follows_the_oldest_and_the_newest_card(devices: list[str], kind: str) -> None:
    assert flavour([line(device, bus) for bus, device in enumerate(devices)], 580) == kind


@pytest.mark.parametrize(
    ("devices", "branch", "what"),
    [([], 580, "no NVIDIA GPU"), (["1db6"], 595, "580 is the last"), (["1db6", "2b85"], 580, "at once"),
     (["2b85"], 535, "needs 570"), (["102d"], 580, "Kepler")],
)  # fmt: skip
def test_what_no_driver_serves_is_refused(devices: list[str], branch: int, what: str) -> None:
    with pytest.raises(DriverError, match=what):
        flavour([line(device, bus) for bus, device in enumerate(devices)], branch)


def test_sound_and_usb_of_a_card_are_no_gpus() -> None:
    sound = line("22bc", kind="Audio device [0403]")
    assert gpus([sound, line("26b1", kind="VGA compatible controller [0300]")]) == [
        Device("0000:01:00.0", "0300", 0x26B1)
    ]


def test_slots_follow_the_pci_bus_not_the_order_of_lines() -> None:
    assert [gpu.address for gpu in gpus([line("26b1", 0x81), line("26b1", 0x1A)])] == [
        "0000:1a:00.0",
        "0000:81:00.0",
    ]


def test_switches_want_their_manager() -> None:
    switch = line("22a3", kind="Bridge [0680]")
    assert needs_fabric_manager([switch, line("2330")])
    assert not needs_fabric_manager([line("2330")])
    assert needs_fabric_manager([line("2901")])
    assert needs_link_manager([line("2901")])


def test_debian_takes_nvidias_repository_of_its_release_and_pins_the_branch() -> None:
    wanted = plan(SITE, platform("debian12", nvidia=(line("26b1"),)))
    assert wanted.sources[0].uri == f"{SITE.nvidia.apt_url}/debian12/x86_64/"
    assert wanted.pinning == "nvidia-driver-pinning-580"
    assert wanted.driver == ("nvidia-driver-cuda", "nvidia-kernel-open-dkms", "nvidia-persistenced")
    assert "linux-headers-6.12.48-amd64" in wanted.others
    assert "linux-headers-amd64" in wanted.others


def test_old_cards_get_the_proprietary_module() -> None:
    assert "nvidia-kernel-dkms" in plan(SITE, platform("debian13", nvidia=(line("1db6"),))).driver


@pytest.mark.parametrize("release", ["ubuntu2204", "ubuntu2404"])
def test_ubuntu_takes_the_modules_that_canonical_signed(release: str) -> None:
    here = platform(release, nvidia=(line("26b1"),), kernel="6.8.0-1021-aws")
    wanted = plan(SITE, here)
    assert wanted.driver[0] == "linux-modules-nvidia-580-server-open-aws"
    assert wanted.pinning is None
    assert [source.name for source in wanted.sources] == ["vibevoice-nvidia-toolkit"]


def test_the_toolkit_has_exactly_the_version_that_the_inventory_names() -> None:
    wanted = plan(SITE, platform("debian13", nvidia=(line("26b1"),)))
    assert f"nvidia-container-toolkit-base={SITE.nvidia.toolkit_version}" in wanted.others


def test_boards_with_switches_get_the_fabric_manager_and_its_unit() -> None:
    here = platform("debian13", nvidia=(line("2330"), line("22a3", 2, "Bridge [0680]")))
    wanted = plan(SITE, here)
    assert "nvidia-fabricmanager" in wanted.driver
    assert "nvidia-fabricmanager.service" in wanted.units


GOOD = Condition(
    smi=0,
    answer="",
    gpus=(Gpu("GPU-1", 49140 * MIB, "580.178.04"),),
    module="580.178.04",
    kernel="6.12.48-amd64",
    built_for=("6.12.48-amd64",),
    nouveau=False,
    cdi=frozenset({"GPU-1"}),
)
UNLOADED: dict[str, Any] = {"smi": 9, "answer": "couldn't communicate", "gpus": ()}


def test_a_working_driver_is_left_alone() -> None:
    assert works(GOOD)
    assert reason_to_reboot(GOOD) is None
    assert complaints(GOOD, NODE, on_bus=1) == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (UNLOADED, "is not loaded"),
        ({"smi": 18, "gpus": ()}, "older NVIDIA module"),
        ({"module": "580.200.01"}, "580.178.04 runs, 580.200.01 is installed"),
        ({"nouveau": True, **UNLOADED}, "nouveau"),
        ({"module": "", "built_for": ("6.12.57-amd64",), **UNLOADED}, "built for 6.12.57-amd64"),
    ],
)
def test_a_module_that_is_not_the_installed_one_wants_a_reboot(changes: dict[str, Any], reason: str) -> None:
    assert reason in (reason_to_reboot(replace(GOOD, **changes)) or "")


def test_no_reboot_cures_a_module_that_was_never_built() -> None:
    broken = replace(GOOD, module="", built_for=(), **UNLOADED)
    assert reason_to_reboot(broken) is None
    assert "dkms status" in complaints(broken, NODE, on_bus=1)[0]


def test_no_reboot_cures_a_card_that_fell_off_the_bus() -> None:
    lost = replace(GOOD, smi=6, answer="No devices were found", gpus=())
    assert reason_to_reboot(lost) is None
    assert "No devices were found" in complaints(lost, NODE, on_bus=1)[0]


def test_a_module_may_be_loaded_by_hand_unless_nouveau_has_the_card() -> None:
    assert may_load(replace(GOOD, **UNLOADED))
    assert not may_load(replace(GOOD, nouveau=True, **UNLOADED))
    assert not may_load(GOOD)


def test_fewer_gpus_than_declared_are_complained_about() -> None:
    assert "lspci 2" in complaints(GOOD, NODE, on_bus=2)[0]


def test_a_smaller_card_than_declared_is_complained_about() -> None:
    small = replace(GOOD, gpus=(Gpu("GPU-1", 24564 * MIB, "580.178.04"),))
    assert "24564 MiB" in complaints(small, NODE, on_bus=1)[0]


def test_memory_that_ecc_keeps_is_no_smaller_card() -> None:
    ecc = replace(GOOD, gpus=(Gpu("GPU-1", 46068 * MIB, "580.178.04"),))
    assert complaints(ecc, NODE, on_bus=1) == []


def test_a_fabric_manager_of_another_version_is_complained_about() -> None:
    assert "fabric manager" in complaints(replace(GOOD, fabric="580.173.02-1"), NODE, on_bus=1)[0]
    assert complaints(replace(GOOD, fabric="580.178.04-1"), NODE, on_bus=1) == []


def test_gpus_that_containers_cannot_ask_for_are_named() -> None:
    assert without_cdi(replace(GOOD, cdi=frozenset())) == ["GPU-1"]


def test_what_the_script_prints_is_understood() -> None:
    lines = [
        "smi 0",
        "answer GPU-5a1f7a7e-0000-4000-8000-000000000001, 143771, 580.95.05",
        "module 580.95.05",
        "kernel 6.12.48-amd64",
        "built 6.12.48-amd64",
        "cdi GPU-5a1f7a7e-0000-4000-8000-000000000001",
    ]
    found = read(lines)
    assert found.gpus == (Gpu("GPU-5a1f7a7e-0000-4000-8000-000000000001", 143771 * MIB, "580.95.05"),)
    assert works(found)
    assert without_cdi(found) == []


def test_a_host_without_a_driver_is_understood() -> None:
    assert read(["smi 127", "module ", "kernel 6.12.48-amd64"]).smi == 127


def test_apt_reads_the_exclusion_of_unattended_upgrades(tmp_path: Path) -> None:
    settings = tmp_path / "apt.conf"
    settings.write_text(render("nvidia/unattended-upgrades.conf"))
    assert real_programs.complaints(["apt-config", "-c", settings, "dump"]) == ""


def test_systemd_accepts_the_drop_in(tmp_path: Path) -> None:
    unit = tmp_path / "nvidia-cdi-refresh.service"
    unit.write_text(render("nvidia/cdi-refresh.conf") + "Type=oneshot\nExecStart=/bin/true\n")
    assert (
        real_programs.complaints(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unit])
        == ""
    )


def test_the_shell_accepts_the_script_for_contrib() -> None:
    assert real_programs.complaints(["sh", "-n", TEMPLATES / "nvidia/contrib.sh"]) == ""

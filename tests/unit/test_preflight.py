"""What stops a deploy before its first change, and what does not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from fleet import Member
from roles import preflight
from roles.preflight import clock_offset, report
from roles.preflight.facts import Disk, Facts, Listener, parse
from roles.preflight.judge import GIB, Finding, judge
from roles.versions import git
from roles.versions.history import Version
from steps.files import TEMPLATES
from tests.unit.examples import example_site
from tests.unit.real_programs import complaints

GPU = "0000:{:02x}:00.0 3D controller [0302]: NVIDIA Corporation GH100 [H200] [10de:2335] (rev a1)"


@pytest.fixture
def site(tmp_path: Path) -> Any:
    lock = tmp_path / "tiny.lock.json"
    lock.write_text(json.dumps({"files": [{"path": "model.safetensors", "size": 3 * GIB}]}))
    model = {"name": "tiny", "repo": "lab/tiny", "revision": "c" * 40, "memory": "1GiB", "lock": str(lock)}
    return example_site(models=[model])


HEALTHY = Facts(
    clock=1000.0,
    root=True,
    os="debian 13",
    arch="amd64",
    kernel="6.12.48-amd64",
    container=False,
    systemd=True,
    memory=64 * GIB,
    disks={folder: Disk(200 * GIB, "/dev/sda1") for folder in ("/", "/var/lib/docker", "/srv")},
    weights=frozenset(),
    docker="",
    images=False,
    listeners=(Listener("tcp", "0.0.0.0", 22, "sshd"),),
    headers="obtainable",
    nvidia_packages=(),
    nvidia_runfile=False,
    unreachable=(),
    secure_boot=False,
    module_key=False,
    pci=(GPU.format(1),),
)


def errors(site: Any, member: Member, offset: float = 0.0, **changes: Any) -> list[str]:
    found = judge(site, member, replace(HEALTHY, **changes), offset)
    assert all(finding.remedy for finding in found), "every finding says what to do"
    return [finding.what for finding in found if finding.severity == "error"]


def on_gateway(site: Any, **changes: Any) -> list[str]:
    changes.setdefault("pci", ())
    return errors(site, site.gateway, **changes)


def on_node(site: Any, **changes: Any) -> list[str]:
    return errors(site, site.nodes[1], **changes)


def test_healthy_hosts_pass(site: Any) -> None:
    assert on_gateway(site) == []
    assert on_node(site) == []


@pytest.mark.parametrize("os", ["debian 12", "debian 13", "ubuntu 22.04", "ubuntu 24.04"])
def test_supported_systems_pass(site: Any, os: str) -> None:
    assert on_node(site, os=os) == []


@pytest.mark.parametrize("os", ["debian 11", "ubuntu 20.04", "fedora 42", ""])
def test_other_systems_are_refused_by_name(site: Any, os: str) -> None:
    assert on_node(site, os=os) == [f"runs {os or 'an unknown system'}"]


def test_a_user_without_sudo_is_refused(site: Any) -> None:
    assert on_node(site, root=False) == ["root cannot become root without a password"]


def test_a_host_without_systemd_is_refused(site: Any) -> None:
    assert on_node(site, systemd=False) == ["systemd does not run"]


def test_a_wrong_clock_is_refused_and_a_drifting_one_is_not(site: Any) -> None:
    assert on_gateway(site, offset=-3600.0) == ["its clock is 3600 s behind this machine's"]
    assert on_gateway(site, offset=20.0) == []


def test_the_time_that_the_question_takes_is_no_offset() -> None:
    assert clock_offset(sent=100.0, received=103.0, there=101.0) == 0.0
    assert clock_offset(sent=100.0, received=103.0, there=110.0) == 7.0
    assert clock_offset(sent=100.0, received=103.0, there=90.0) == -10.0


def test_a_full_disk_is_refused_with_the_size_that_is_missing(site: Any) -> None:
    disks = {folder: Disk(10 * GIB, "/dev/sda1") for folder in HEALTHY.disks}
    # The image, the weights, and room to breathe, all on the same disk.
    assert on_node(site, disks=disks) == [
        "10.0 GiB free on / and /var/lib/docker and /srv, 24.0 GiB needed",
    ]


def test_what_is_there_already_needs_no_disk(site: Any) -> None:
    disks = {folder: Disk(2 * GIB, "/dev/sda1") for folder in HEALTHY.disks}
    weights = frozenset({f"tiny/{'c' * 40}"})
    assert on_node(site, disks=disks, images=True, weights=weights) == []


def test_a_foreign_program_on_our_ports_is_refused(site: Any) -> None:
    nginx = Listener("tcp", "0.0.0.0", 80, "nginx")
    assert on_gateway(site, listeners=(nginx,)) == ["nginx holds 0.0.0.0 port 80/tcp, for HTTP"]


def test_our_own_programs_of_an_earlier_deploy_are_not(site: Any) -> None:
    ours = (Listener("tcp", "192.0.2.10", 443, "traefik"), Listener("udp", "0.0.0.0", 51820, "-"))
    assert on_gateway(site, listeners=ours) == []


def test_the_doors_ports_are_the_doors(site: Any) -> None:
    door = (Listener("tcp", "127.0.0.1", 8901, "python"), Listener("tcp", "127.0.0.1", 8083, "traefik"))
    assert on_gateway(site, listeners=door) == []
    foreign = Listener("tcp", "127.0.0.1", 8902, "gitea")
    assert on_gateway(site, listeners=(foreign,)) == ["gitea holds 127.0.0.1 port 8902/tcp, for the door"]


def test_another_address_of_the_same_port_is_free(site: Any) -> None:
    assert on_gateway(site, listeners=(Listener("tcp", "127.0.0.1", 80, "nginx"),)) == []


def test_an_unreachable_repository_is_refused_by_its_address(site: Any) -> None:
    gone = (("https://download.docker.com/x", "download.docker.com has no address"),)
    assert on_node(site, unreachable=gone) == [
        "cannot read https://download.docker.com/x: download.docker.com has no address"
    ]


def test_missing_gpus_are_refused_by_count(site: Any) -> None:
    assert errors(site, site.nodes[0]) == ["the inventory says 4 GPUs, its PCI bus has 1"]


def test_a_gpu_that_the_branch_does_not_drive_is_refused(site: Any) -> None:
    old = "0000:01:00.0 3D controller [0302]: NVIDIA Corporation GV100GL [Tesla V100] [10de:1db6] (rev a1)"
    newer = site.model_copy(update={"nvidia": site.nvidia.model_copy(update={"branch": 595})})
    assert errors(newer, site.nodes[1], pci=(old,)) == ["nvidia.branch is 595, but 580 is the last for Volta"]


def test_a_kernel_without_headers_is_refused_on_debian_only(site: Any) -> None:
    assert len(on_node(site, headers="")) == 1
    assert on_node(site, headers="", os="ubuntu 24.04") == []


def test_nvidia_packages_of_another_origin_are_refused(site: Any) -> None:
    foreign = (("nvidia-driver", "http://deb.example.org/debian"), ("nvidia-driver", "/var/lib/dpkg/status"))
    assert on_node(site, nvidia_packages=foreign) == ["NVIDIA packages from elsewhere: nvidia-driver"]


def test_nvidia_packages_of_our_source_are_not(site: Any) -> None:
    source = f"{site.nvidia.apt_url}/debian13/x86_64"
    ours = (("nvidia-driver-cuda", source), ("nvidia-driver-cuda", "/var/lib/dpkg/status"))
    assert on_node(site, nvidia_packages=ours) == []


def test_a_version_that_its_repository_dropped_is_not_foreign(site: Any) -> None:
    assert on_node(site, nvidia_packages=(("nvidia-driver-cuda", "/var/lib/dpkg/status"),)) == []


def test_secure_boot_needs_a_module_that_is_signed(site: Any) -> None:
    assert len(on_node(site, secure_boot=True)) == 1
    assert on_node(site, secure_boot=True, module_key=True) == []
    assert on_node(site, secure_boot=True, os="ubuntu 24.04") == []


def test_all_mistakes_of_a_host_come_at_once(site: Any) -> None:
    assert len(on_node(site, systemd=False, root=False, nvidia_runfile=True)) == 3


def test_the_shell_accepts_the_probe() -> None:
    assert complaints(["sh", "-n", TEMPLATES / "preflight/probe.sh"]) == ""


def test_what_the_probe_prints_on_this_machine_is_understood() -> None:
    import subprocess

    probe = (TEMPLATES / "preflight/probe.sh").read_text()
    done = subprocess.run(
        ["sh", "-s"], input=probe, capture_output=True, text=True, check=True, env={"GPU": "no"}
    )
    facts = parse(done.stdout.splitlines())
    assert facts.root
    assert facts.memory > GIB / 2
    assert set(facts.disks) == {"/", "/var/lib/docker", "/srv"}


def test_output_that_is_not_the_probes_is_refused() -> None:
    with pytest.raises(ValueError, match="no time"):
        parse(["bash: command not found"])


def test_the_report_names_every_host_for_programs_and_people(tmp_path: Path) -> None:
    bad = Finding("error", "gpu-1", "systemd does not run", "Boot it with systemd.")
    findings = {"gw": [], "gpu-1": [bad]}
    report.write(tmp_path / "state" / "preflight.json", findings)
    written = json.loads((tmp_path / "state" / "preflight.json").read_text())
    assert written["ok"] is False
    assert written["hosts"]["gw"] == {"ok": True, "findings": []}
    assert written["hosts"]["gpu-1"]["findings"][0]["remedy"] == "Boot it with systemd."
    console = Console(record=True, width=120, file=(tmp_path / "table").open("w"))
    report.show(findings, console)
    assert "systemd does not run" in console.export_text()


@pytest.mark.parametrize("lacking", [False, True])
def test_a_checkout_without_what_the_site_runs_is_told_of(
    monkeypatch: pytest.MonkeyPatch, lacking: bool
) -> None:
    site = example_site()
    last = Version(3, "2026-11-28T15:00:00Z", "ops@desk", "c3449cf762", False, "deploy")
    monkeypatch.setattr(preflight, "versions", lambda site: (last,))
    monkeypatch.setattr(git, "lacks", lambda commit: lacking and commit == last.revision)
    found = preflight.taken_back(site)
    assert [(one.severity, one.host) for one in found] == [("warning", site.gateway.host)] * lacking
    assert all("c3449cf762 (2026-11-28T15:00:00Z, by ops@desk)" in one.what for one in found)

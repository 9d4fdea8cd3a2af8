"""Docker's configuration and units, read by the programs they are for."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from roles.docker import engine
from steps.files import TEMPLATES, render
from steps.platform import Platform
from tests.unit.examples import example_site
from tests.unit.golden_files import same
from tests.unit.real_programs import complaints, dockerd

SITE = example_site(docker={"mirrors": ["https://mirror.example.com"]})
OLD = engine.as_file(engine.daemon(SITE))


def platform(release: str, **changes: object) -> Platform:
    """A host of that release: debian13, ubuntu2404."""
    id, version = re.fullmatch(r"([a-z]+)(\d+)", release).groups()  # type: ignore[union-attr]
    codename = {"debian12": "bookworm", "debian13": "trixie", "ubuntu2204": "jammy", "ubuntu2404": "noble"}
    number = f"{version[:2]}.{version[2:]}" if id == "ubuntu" else version
    values = {"architecture": "amd64", "kernel": "6.12.48-amd64", "container": False, "nvidia": ()}
    return Platform(id=id, version=number, codename=codename[release], **(values | changes))  # type: ignore[arg-type]


def test_the_daemon_is_configured_as_the_golden_file() -> None:
    assert same("docker/daemon.json", OLD)


def test_dockerd_accepts_its_configuration(tmp_path: Path) -> None:
    path = tmp_path / "daemon.json"
    path.write_text(OLD)
    assert complaints([dockerd(), "--validate", f"--config-file={path}"]) == ""


def test_dockerd_would_have_refused_a_mistake(tmp_path: Path) -> None:
    path = tmp_path / "daemon.json"
    path.write_text(json.dumps(engine.daemon(SITE) | {"live-restor": True}))
    assert "live-restor" in complaints([dockerd(), "--validate", f"--config-file={path}"])


@pytest.mark.parametrize(
    ("release", "vendor"),
    [("debian12", True), ("debian13", False), ("ubuntu2204", True), ("ubuntu2404", True)],
)
def test_docker_comes_from_where_it_knows_gpu_devices(release: str, vendor: bool) -> None:
    assert engine.from_vendor(SITE, platform(release)) is vendor


def test_the_inventory_may_choose_the_source() -> None:
    site = example_site(docker={"source": "docker"})
    assert engine.from_vendor(site, platform("debian13"))


def test_a_new_mirror_is_only_reloaded() -> None:
    other = engine.daemon(example_site(docker={"mirrors": ["https://other.example.com"]}))
    assert not engine.needs_restart(OLD, other)


def test_another_address_pool_restarts_the_daemon() -> None:
    assert engine.needs_restart(OLD, engine.daemon(example_site(docker={"address_pool": "10.202.0.0/16"})))


def test_a_missing_configuration_restarts_the_daemon() -> None:
    assert engine.needs_restart("", engine.daemon(SITE))


def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    heal = tmp_path / "docker-heal"
    heal.write_text((TEMPLATES / "docker/docker-heal.sh").read_text())
    heal.chmod(0o755)
    unit = tmp_path / "vibevoice-docker-heal.service"
    text = render("docker/vibevoice-docker-heal.service")
    unit.write_text(text.replace("/usr/local/lib/vibevoice/docker-heal", str(heal)))
    docker = tmp_path / "docker.service"
    # The drop-in's own lines, on a unit that is complete without Docker.
    settled = tmp_path / "docker-settled"
    settled.write_text((TEMPLATES / "docker/docker-settled.sh").read_text())
    settled.chmod(0o755)
    drop_in = render("docker/docker.conf").replace("/usr/local/lib/vibevoice/docker-settled", str(settled))
    docker.write_text(f"{drop_in}\n[Service]\nExecStart=/bin/true\n")
    assert complaints(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unit, docker]) == ""


def test_the_shell_accepts_the_healer() -> None:
    for script in ("docker-heal.sh", "docker-settled.sh"):
        assert complaints(["sh", "-n", TEMPLATES / "docker" / script]) == ""

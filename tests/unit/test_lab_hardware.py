"""Promises of the simulated hardware: the stand-ins answer as the real programs do."""

import subprocess
from pathlib import Path

import pytest

from lab import topology
from lab.hardware import packages
from roles.nvidia.driver import devices, flavour

LSPCI = Path(packages.__file__).with_name("lspci")


@pytest.fixture
def lspci(tmp_path: Path) -> Path:
    """lspci of gpu-1, its table in a folder of the test."""
    table = tmp_path / "gpus"
    table.write_text("".join(f"{gpu.line}\n" for gpu in topology.host("gpu-1").gpus))
    program = tmp_path / "lspci"
    program.write_text(LSPCI.read_text().replace("/etc/vibevoice-lab/gpus", str(table)))
    program.chmod(0o755)
    return program


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packages")
    packages.driver_packages(folder)
    packages.toolkit_packages(folder)
    return folder


def _output(*argv: str | Path) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def test_the_lab_has_gpus_that_the_roles_understand(lspci: Path) -> None:
    lines = _output(lspci, "-Dnn", "-d", "10de:").splitlines()
    assert len(devices(lines)) == len(topology.host("gpu-1").gpus)
    assert flavour(lines, 580) == "open"


def test_lspci_filters_by_class_and_shortens_without_domain(lspci: Path) -> None:
    assert _output(lspci, "-d", "10de::0680") == ""
    assert all(line.startswith("3") for line in _output(lspci, "-nn").splitlines())


def test_modinfo_reads_the_version_from_the_module_file(repository: Path, tmp_path: Path) -> None:
    package = next(repository.glob("nvidia-kernel-open-dkms_580.178.04-1_*.deb"))
    subprocess.run(["dpkg-deb", "-x", package, tmp_path], check=True)
    module = tmp_path / "usr/lib/nvidia-stub/nvidia.ko"
    assert _output("/usr/sbin/modinfo", "-F", "version", module) == "580.178.04\n"


def test_no_package_is_left_with_an_unfilled_word(repository: Path, tmp_path: Path) -> None:
    for number, package in enumerate(sorted(repository.glob("*.deb"))):
        tree = tmp_path / str(number)
        subprocess.run(["dpkg-deb", "-R", package, tree], check=True)
        for path in tree.rglob("*"):
            assert "@" not in path.name
            if path.is_file() and path.suffix not in (".ko",) and ".so." not in path.name:
                assert "@UPSTREAM@" not in (text := path.read_text())
                assert "@VERSION@" not in text
                assert "@NAME@" not in text


def test_building_again_gives_the_same_bytes(repository: Path, tmp_path: Path) -> None:
    packages.kernel_packages(tmp_path)
    for package in tmp_path.glob("*.deb"):
        assert package.read_bytes() == (repository / package.name).read_bytes()


def test_nvidia_smi_without_a_driver_ends_with_9(repository: Path, tmp_path: Path) -> None:
    package = next(repository.glob("nvidia-driver-cuda_580.178.04-1_*.deb"))
    subprocess.run(["dpkg-deb", "-x", package, tmp_path], check=True)
    done = subprocess.run(
        [tmp_path / "usr/bin/nvidia-smi", "-L"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 9
    assert "couldn't communicate with the NVIDIA driver" in done.stdout


def test_nvidia_smi_tells_a_module_of_another_version(repository: Path, tmp_path: Path) -> None:
    package = next(repository.glob("nvidia-driver-cuda_580.178.04-1_*.deb"))
    subprocess.run(["dpkg-deb", "-x", package, tmp_path], check=True)
    program = tmp_path / "usr/bin/nvidia-smi"
    (tmp_path / "loaded").write_text("580.173.02\n")
    program.write_text(program.read_text().replace("/run/nvidia-stub", str(tmp_path)))
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    assert done.returncode == 18

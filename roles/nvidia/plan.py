"""Which packages, from where, make a host's GPUs usable. Pure.

Debian gets NVIDIA's own repository: its archive stops at branch 550. Ubuntu gets its own archive's -server
packages: their modules are built and signed by Canonical, so they need no compiler, survive kernel upgrades,
and load under Secure Boot, where a module built on the host would need a password typed at the console.
"""

from __future__ import annotations

from dataclasses import dataclass

from fleet import Site
from roles.nvidia.driver import flavour, needs_fabric_manager, needs_link_manager
from steps.platform import Platform
from steps.sources import Source

MACHINES = {"amd64": "x86_64", "arm64": "sbsa"}
UBUNTU_FLAVOURS = ("aws", "azure", "gcp", "oracle", "lowlatency", "generic")


@dataclass(frozen=True)
class Plan:
    """What is installed on one host.

    Args:
        sources: foreign repositories, the container toolkit's among them.
        pinning: package that keeps the branch, installed before the driver; none where names hold the branch.
        driver: packages of the driver, all of one version.
        branch: what the version of `versioned` must begin with.
        others: packages that come along, `name=version` for an exact one.
        units: services of the driver.
    """

    sources: tuple[Source, ...]
    pinning: str | None
    driver: tuple[str, ...]
    branch: int
    others: tuple[str, ...]
    units: tuple[str, ...]

    @property
    def exact(self) -> dict[str, str]:
        """The version of each of the others; empty where any will do."""
        return {package: version for package, _, version in (one.partition("=") for one in self.others)}

    @property
    def packages(self) -> tuple[str, ...]:
        """Names of all that is installed, and held."""
        return (*([self.pinning] if self.pinning else []), *self.driver, *self.exact)


def plan(site: Site, platform: Platform) -> Plan:
    """The plan for a GPU host. Raises DriverError where no driver fits its GPUs."""
    kind = flavour(platform.nvidia, site.nvidia.branch)
    fabric = needs_fabric_manager(platform.nvidia)
    debian = platform.id == "debian"
    driver = _debian(platform, kind) if debian else _ubuntu(site, platform, kind)
    if fabric:
        driver += ("nvidia-fabricmanager",) if debian else (f"nvidia-fabricmanager-{site.nvidia.branch}",)
    link = ("nvlsm",) if needs_link_manager(platform.nvidia) else ()
    headers = _debian_headers(platform) if debian else ()
    return Plan(
        sources=(*([driver_source(site, platform)] if debian else []), toolkit_source(site, platform)),
        pinning=f"nvidia-driver-pinning-{site.nvidia.branch}" if debian else None,
        driver=driver,
        branch=site.nvidia.branch,
        others=(*headers, *link, f"nvidia-container-toolkit-base={site.nvidia.toolkit_version}"),
        units=("nvidia-persistenced.service", *(["nvidia-fabricmanager.service"] if fabric else [])),
    )


def of_branch(version: str | None, branch: int) -> bool:
    """Whether a package's version belongs to a driver branch."""
    return version is not None and version.rpartition(":")[2].startswith(f"{branch}.")


def _debian(platform: Platform, kind: str) -> tuple[str, ...]:
    module = "nvidia-kernel-open-dkms" if kind == "open" else "nvidia-kernel-dkms"
    return ("nvidia-driver-cuda", module, "nvidia-persistenced")


def _debian_headers(platform: Platform) -> tuple[str, ...]:
    # For the kernel that runs, and by the metapackage for every later one, which would lack the module.
    cloud = "cloud-" if "-cloud-" in platform.kernel else ""
    return ("dkms", f"linux-headers-{platform.kernel}", f"linux-headers-{cloud}{platform.architecture}")


def _ubuntu(site: Site, platform: Platform, kind: str) -> tuple[str, ...]:
    branch, opened = site.nvidia.branch, "-open" if kind == "open" else ""
    kernel = next((name for name in UBUNTU_FLAVOURS if platform.kernel.endswith(f"-{name}")), "generic")
    return (
        f"linux-modules-nvidia-{branch}-server{opened}-{kernel}",
        f"nvidia-headless-no-dkms-{branch}-server{opened}",
        f"nvidia-utils-{branch}-server",
        f"nvidia-compute-utils-{branch}-server",
    )


def driver_source(site: Site, platform: Platform) -> Source:
    """NVIDIA's repository for this release."""
    machine = MACHINES.get(platform.architecture, "x86_64")
    uri = f"{site.nvidia.apt_url.rstrip('/')}/{platform.release}/{machine}/"
    return Source(
        name="vibevoice-nvidia",
        uri=uri,
        suites="/",
        # The repository's own key travels in a package, and changes from release to release.
        key=site.nvidia.apt_key or f"{uri}cuda-keyring_1.1-1_all.deb",
    )


def toolkit_source(site: Site, platform: Platform) -> Source:
    """The container toolkit's repository."""
    return Source(
        name="vibevoice-nvidia-toolkit",
        uri=f"{site.nvidia.toolkit_url.rstrip('/')}/{platform.architecture}/",
        suites="/",
        key=site.nvidia.toolkit_key,
    )

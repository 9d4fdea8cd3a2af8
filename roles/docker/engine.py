"""Which Docker Engine a host gets, and its configuration. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fleet import Site
from steps.platform import Platform
from steps.sources import Source

# CDI devices need 26.1 (specification 0.7). Debian 13 has it; Debian 12 has 20.10, and Ubuntu's version moves
# between major releases with its updates, which live-restore does not survive.
DISTRIBUTIONS_WITH_CDI = {"debian13"}

VENDOR = ("docker-ce", "docker-ce-cli", "containerd.io")

# Keys that dockerd reads again on SIGHUP; other changes need a restart, which live-restore makes harmless.
RELOADABLE = {
    "features",
    "insecure-registries",
    "labels",
    "live-restore",
    "max-concurrent-downloads",
    "max-concurrent-uploads",
    "registry-mirrors",
    "shutdown-timeout",
}


def from_vendor(site: Site, platform: Platform) -> bool:
    """Whether Docker's own packages are used instead of the distribution's."""
    if site.docker.source == "auto":
        return platform.release not in DISTRIBUTIONS_WITH_CDI
    return site.docker.source == "docker"


def distribution(platform: Platform) -> tuple[str, ...]:
    """The distribution's own packages; Debian 13's docker.io only recommends the command line client."""
    return ("docker.io", "docker-cli") if platform.release == "debian13" else ("docker.io",)


def packages(site: Site, platform: Platform) -> tuple[str, ...]:
    """What is installed, and held."""
    return VENDOR if from_vendor(site, platform) else distribution(platform)


def source(site: Site, platform: Platform) -> Source:
    """Docker's repository for this host."""
    return Source(
        name="vibevoice-docker",
        uri=f"{site.docker.apt_url.rstrip('/')}/{platform.id}",
        suites=platform.codename,
        components="stable",
        architectures=platform.architecture,
        key=site.docker.apt_key,
    )


def daemon(site: Site) -> dict[str, Any]:
    """The content of daemon.json."""
    return {
        # json-file, the default, grows without bounds.
        "log-driver": "local",
        "log-opts": {"max-size": "20m", "max-file": "5"},
        "default-address-pools": [{"base": str(site.docker.address_pool), "size": 24}],
        # Containers outlive the daemon: a generation goes on while Docker is upgraded.
        "live-restore": True,
        "userland-proxy": False,
        "icc": False,
        "no-new-privileges": True,
        # On by default from 28.3 only.
        "features": {"cdi": True},
        "registry-mirrors": list(site.docker.mirrors),
        # The gateway's registry speaks plain HTTP inside the encrypted private network.
        "insecure-registries": [site.registry_address],
    }


def as_file(config: Mapping[str, Any]) -> str:
    """daemon.json, readable."""
    return json.dumps(config, indent=2) + "\n"


def needs_restart(before: str, after: Mapping[str, Any]) -> bool:
    """Whether the daemon must be restarted, not just reloaded, to take up `after`."""
    try:
        old = json.loads(before)
    except ValueError:
        return True
    changed = {key for key in {*old, *after} if old.get(key) != after.get(key)}
    return bool(changed - RELOADABLE)

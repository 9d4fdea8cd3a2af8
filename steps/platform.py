"""What a host is: release, architecture, kernel, container or not, the NVIDIA devices on its PCI bus.

None of it changes while a deploy runs, so it is read once per host, without root, and roles may ask for it
where they are declared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyinfra import host
from pyinfra.api import FactBase

_platforms: dict[str, Platform] = {}


@dataclass(frozen=True)
class Platform:
    """Release and hardware of a host.

    Args:
        id, version, codename: as in os-release: debian, 13, trixie; ubuntu, 24.04, noble.
        architecture: Debian's name, amd64 or arm64.
        kernel: the running one's release.
        container: the kernel belongs to another system (nspawn, LXC).
        nvidia: lines of `lspci -Dnn -d 10de:`.
    """

    id: str
    version: str
    codename: str
    architecture: str
    kernel: str
    container: bool
    nvidia: tuple[str, ...]

    @property
    def release(self) -> str:
        """Distribution and version in one word, as NVIDIA names its repositories: debian13, ubuntu2404."""
        return self.id + self.version.replace(".", "")


# pciutils may be missing on a new host: sysfs knows class, vendor and device too, only no names.
PROBE = r"""
. /etc/os-release; echo "id=$ID"; echo "version=$VERSION_ID"; echo "codename=$VERSION_CODENAME"
echo "architecture=$(dpkg --print-architecture 2>/dev/null)"; echo "kernel=$(uname -r)"
echo "container=$(systemd-detect-virt --container 2>/dev/null)"
if command -v lspci >/dev/null 2>&1; then lspci -Dnn -d 10de: 2>/dev/null; else
for d in /sys/bus/pci/devices/*; do
read -r v < "$d/vendor" 2>/dev/null || continue; [ "$v" = 0x10de ] || continue
read -r i < "$d/device"; read -r c < "$d/class"; c=${c#0x}
echo "${d##*/} Device [${c%??}]: NVIDIA Corporation Device [10de:${i#0x}]"; done; fi
"""


class PlatformFact(FactBase[Platform]):
    """The host's `Platform`."""

    def command(self) -> str:
        return PROBE

    def process(self, output: list[str]) -> Platform:
        return read(output)


def read(lines: list[str]) -> Platform:
    """The `Platform` that the lines of `PROBE` describe."""
    values: Mapping[str, str] = dict(line.split("=", 1) for line in lines if "=" in line and " " not in line)
    return Platform(
        id=values.get("id", ""),
        version=values.get("version", ""),
        codename=values.get("codename", ""),
        architecture=values.get("architecture", ""),
        kernel=values.get("kernel", ""),
        container=values.get("container", "none") not in ("", "none"),
        nvidia=tuple(line for line in lines if "[10de:" in line),
    )


def platform() -> Platform:
    """The current host's `Platform`, read once per run."""
    found: Any = _platforms.get(host.name)
    if found is None:
        found = _platforms[host.name] = host.get_fact(PlatformFact, _sudo=False)
    return found

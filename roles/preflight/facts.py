"""What the probe reported about a host, typed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Disk:
    """Free bytes below a folder, and the device that they are on."""

    free: int
    device: str


@dataclass(frozen=True)
class Listener:
    """A listening socket: tcp or udp, local address and port, the program that holds it ("-": the kernel)."""

    protocol: str
    address: str
    port: int
    program: str


@dataclass(frozen=True)
class Facts:
    """A host as the probe saw it.

    Args:
        clock: the host's time in seconds since the epoch when the probe began.
        disks: by folder. memory: bytes. headers: "installed", "obtainable" or "".
        nvidia_packages: installed packages of NVIDIA with each address their version comes from.
        unreachable: `(url, why)` of repositories that will be needed.
        stores: projects whose data is here.
    """

    clock: float
    root: bool
    os: str
    arch: str
    kernel: str
    container: bool
    systemd: bool
    memory: int
    disks: dict[str, Disk]
    weights: frozenset[str]
    docker: str
    images: bool
    listeners: tuple[Listener, ...]
    headers: str
    nvidia_packages: tuple[tuple[str, str], ...]
    nvidia_runfile: bool
    unreachable: tuple[tuple[str, str], ...]
    secure_boot: bool
    module_key: bool
    pci: tuple[str, ...]
    blind: tuple[str, ...] = field(default=())
    stores: frozenset[str] = field(default=frozenset())


def parse(lines: Sequence[str], pci: Sequence[str] = ()) -> Facts:
    """The probe's output as `Facts`. Raises ValueError where it is not the probe's.

    Args:
        pci: lines of `lspci -Dnn -d 10de:`, which is read apart.
    """
    seen: dict[str, list[str]] = {}
    for line in lines:
        key, _, value = line.partition(" ")
        seen.setdefault(key, []).append(value.strip())

    def one(key: str) -> str:
        return seen.get(key, [""])[0]

    if not one("clock"):
        raise ValueError("the probe printed no time")
    return Facts(
        clock=float(one("clock")),
        root=one("uid") == "0",
        os=one("os"),
        arch=one("arch"),
        kernel=one("kernel"),
        container=one("container") not in ("", "none"),
        systemd=one("systemd") == "yes",
        memory=int(float(one("memory") or 0)),
        disks=dict(_disk(value) for value in seen.get("disk", [])),
        weights=frozenset(seen.get("weights", [])),
        docker=one("docker"),
        images=one("images") == "yes",
        listeners=tuple(_listener(value) for value in seen.get("listen", [])),
        headers=one("headers"),
        nvidia_packages=tuple(_pair(value) for value in seen.get("nvidia_package", [])),
        nvidia_runfile=one("nvidia_runfile") == "yes",
        unreachable=tuple(
            [(url, f"{name} has no address") for name, url in map(_pair, seen.get("unresolved", []))]
            + [_pair(value) for value in seen.get("unreachable", [])]
        ),
        secure_boot=one("secure_boot") == "on",
        module_key=one("module_key") == "enrolled",
        pci=tuple(pci),
        blind=tuple(seen.get("blind", [])),
        stores=frozenset(seen.get("store", [])),
    )


def _pair(value: str) -> tuple[str, str]:
    first, _, rest = value.partition(" ")
    return first, rest.strip()


def _disk(value: str) -> tuple[str, Disk]:
    folder, free, device = value.split(maxsplit=2)
    return folder, Disk(int(free), device)


def _listener(value: str) -> Listener:
    protocol, local, program = value.split(maxsplit=2)
    address, _, port = local.rpartition(":")
    return Listener(protocol, address.strip("[]").partition("%")[0], int(port), program)

"""What the lab consists of: hosts, addresses, GPUs. Pure data; LAB_NODES changes the GPU hosts."""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass

DOMAIN = "lab.test"
SITE_DOMAIN = f"studio.{DOMAIN}"
BRIDGE = "vvlab0"
NETWORK = "10.77.0.0/24"
MACHINE = "10.77.0.1"
GATEWAY = "10.77.0.10"

RELEASES = {"debian12": "bookworm", "debian13": "trixie"}
# name:release:gpus[:user]; a user other than root gets passwordless sudo, and root may not log in.
DEFAULT_NODES = "gpu-1:debian13:2,gpu-2:debian12:1:ops"

# The lab's projects and their users; each person gets a random password once. Li and bo have one each.
LOGINS = {"podcast": ("li", "ana"), "debate": ("bo", "ana")}

# What nvidia-smi and lspci say of the card: an Ada one (10de:26b1), served by the open kernel module.
GPU_NAME = "NVIDIA RTX 6000 Ada Generation"
GPU_MEMORY_MIB = 49140
_FIRST_BUS = 0x3B
_UUID_SPACE = uuid.UUID("5f0b9a4e-9a0f-4b5e-8a53-76696265766f")


@dataclass(frozen=True)
class Gpu:
    """One simulated GPU; ``bus`` in nvidia-smi's form (00000000:3B:00.0)."""

    index: int
    uuid: str
    name: str
    memory_mib: int
    bus: str

    @property
    def line(self) -> str:
        """The GPU's line in /etc/vibevoice-lab/gpus."""
        return f"{self.index},{self.uuid},{self.name},{self.memory_mib},{self.bus}"


@dataclass(frozen=True)
class Host:
    """One host of the lab; ``release`` is the Debian code name, ``user`` who logs in over SSH."""

    name: str
    address: str
    release: str
    gpus: tuple[Gpu, ...] = ()
    user: str = "root"
    jump: str | None = None


def nodes(spec: str | None = None) -> list[Host]:
    """The GPU hosts of ``spec`` (default: $LAB_NODES, else DEFAULT_NODES), addresses .11, .12, …"""
    entries = (spec or os.environ.get("LAB_NODES") or DEFAULT_NODES).split(",")
    return [_node(entry.strip(), place) for place, entry in enumerate(entries)]


def hosts() -> list[Host]:
    """Every host of the lab, the gateway first; ``visitor`` is no part of the site."""
    gateway = Host("gateway", GATEWAY, "trixie")
    visitor = Host("visitor", "10.77.0.20", "trixie")
    return [gateway, *nodes(), visitor]


def host(name: str) -> Host:
    """The host called ``name``; raises KeyError with the known names."""
    for candidate in hosts():
        if candidate.name == name:
            return candidate
    raise KeyError(f"no lab host is called {name}: there are {', '.join(h.name for h in hosts())}")


def _node(entry: str, place: int) -> Host:
    name, release, gpus, *user = entry.split(":")
    if release not in RELEASES or place > 8:
        raise ValueError(f"LAB_NODES: {entry}: name:{'|'.join(RELEASES)}:gpus[:user], at most 9 hosts")
    login = user[0] if user else "root"
    return Host(
        name=name,
        address=f"10.77.0.{11 + place}",
        release=RELEASES[release],
        gpus=tuple(_gpu(name, index) for index in range(int(gpus))),
        user=login,
        jump="gateway" if login != "root" else None,
    )


def _gpu(host_name: str, index: int) -> Gpu:
    identity = uuid.uuid5(_UUID_SPACE, f"{host_name}/{index}")
    return Gpu(index, f"GPU-{identity}", GPU_NAME, GPU_MEMORY_MIB, f"00000000:{_FIRST_BUS + index:02X}:00.0")

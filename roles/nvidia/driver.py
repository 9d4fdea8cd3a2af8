"""Which driver a host's GPUs need: read from PCI ids, decided without asking anyone. Pure.

NVIDIA has two kernel modules. The open one drives Turing and later, and is the only one for Blackwell; the
proprietary one drives Maxwell, Pascal and Volta, up to branch 580.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

LAST_BRANCH_OF_OLD_GPUS = 580
FIRST_BRANCH_OF_BLACKWELL = 570

# PCI device ids of NVIDIA by generation, [first, last]. Ids are given out in blocks per chip.
GENERATIONS: tuple[tuple[int, int, str], ...] = (
    (0x0FC0, 0x103F, "Kepler"),
    (0x1180, 0x11FF, "Kepler"),
    (0x1280, 0x12BF, "Kepler"),
    (0x1340, 0x143F, "Maxwell"),
    (0x15F0, 0x15FF, "Pascal"),  # P100
    (0x1617, 0x1667, "Maxwell"),
    (0x174D, 0x179C, "Maxwell"),
    (0x17C0, 0x17FF, "Maxwell"),
    (0x1B00, 0x1D7F, "Pascal"),
    (0x1D80, 0x1DFF, "Volta"),
    (0x1E00, 0x1FFF, "Turing"),
    (0x2080, 0x20FF, "Ampere"),  # A100, A30, A800
    (0x2180, 0x21FF, "Turing"),
    (0x2200, 0x22A2, "Ampere"),
    (0x2300, 0x237F, "Hopper"),
    (0x2400, 0x25FF, "Ampere"),
    (0x2600, 0x28FF, "Ada"),
    (0x2900, 0x2FFF, "Blackwell"),
    (0x3180, 0x31FF, "Blackwell"),  # B300, GB300
)
OPEN_TOO = {"Turing", "Ampere", "Hopper", "Ada"}
OPEN_ONLY = {"Blackwell"}
PROPRIETARY_ONLY = {"Maxwell", "Pascal", "Volta"}

# The switches of HGX boards: V100, A100, H100 and later.
NVSWITCHES = {0x1AC0, 0x1AC1, 0x1AC2, 0x1AF1, 0x22A3}
# HGX B200 and B300 switch through NVLink 5, whose switches are no PCI devices of NVIDIA.
NVLINK5_GPUS = {0x2901, 0x3182}

LINE = re.compile(r"^(\S+) .*?\[([0-9a-f]{4})\]: .*\[10de:([0-9a-f]{4})\]", re.IGNORECASE)


class DriverError(ValueError):
    """The GPUs of a host cannot be driven as the inventory wants; the message says what to change."""


@dataclass(frozen=True)
class Device:
    """A PCI device of NVIDIA: bus address, class (0300 display, 0302 3D, 0680 bridge), device id."""

    address: str
    kind: str
    id: int

    @property
    def is_gpu(self) -> bool:
        return self.kind in ("0300", "0302")

    @property
    def is_switch(self) -> bool:
        return self.kind == "0680" and self.id in NVSWITCHES

    @property
    def generation(self) -> str | None:
        """Name of the GPU generation; None for ids newer than this table."""
        return next((name for first, last, name in GENERATIONS if first <= self.id <= last), None)


def devices(lspci: Sequence[str]) -> list[Device]:
    """The devices in lines of `lspci -Dnn -d 10de:`, in PCI order."""
    matches = [match for line in lspci if (match := LINE.match(line))]
    return sorted((Device(m[1], m[2], int(m[3], 16)) for m in matches), key=lambda device: device.address)


def gpus(lspci: Sequence[str]) -> list[Device]:
    """The GPUs among them; their order gives the slots."""
    return [device for device in devices(lspci) if device.is_gpu]


def flavour(lspci: Sequence[str], branch: int) -> str:
    """`open` or `proprietary` for these GPUs. Raises DriverError where one driver cannot serve them all."""
    found = {gpu.generation or "newer" for gpu in gpus(lspci)}
    if not found:
        raise DriverError("no NVIDIA GPU on the PCI bus. Is the card seated, or passed through?")
    if "Kepler" in found:
        raise DriverError(
            "a Kepler GPU needs driver 470, which gets no more security fixes. Replace the card."
        )
    old, new = found & PROPRIETARY_ONLY, found & (OPEN_ONLY | {"newer"})
    if old and new:
        raise DriverError(f"no driver serves {_names(old)} and {_names(new)} at once. Move one of the cards.")
    if old and branch > LAST_BRANCH_OF_OLD_GPUS:
        last = LAST_BRANCH_OF_OLD_GPUS
        raise DriverError(f"nvidia.branch is {branch}, but {last} is the last for {_names(old)}. Lower it.")
    if new and branch < FIRST_BRANCH_OF_BLACKWELL:
        first = FIRST_BRANCH_OF_BLACKWELL
        raise DriverError(f"nvidia.branch is {branch}, but {_names(new)} needs {first} or later. Raise it.")
    return "proprietary" if old else "open"


def needs_fabric_manager(lspci: Sequence[str]) -> bool:
    """Whether the GPUs are joined by switches, without whose manager CUDA does not start (error 802)."""
    return any(device.is_switch or device.id in NVLINK5_GPUS for device in devices(lspci))


def needs_link_manager(lspci: Sequence[str]) -> bool:
    """Whether those switches are NVLink 5, which bring a subnet manager of their own (nvlsm)."""
    return any(device.id in NVLINK5_GPUS for device in devices(lspci))


def _names(generations: set[str]) -> str:
    return " and ".join(sorted(generations))

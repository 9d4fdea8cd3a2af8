"""How the driver of a host is doing, and whether only a reboot helps. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fleet import Node

MIB = 2**20
# Exit codes of nvidia-smi, as NVML's.
NO_DEVICES, NOT_LOADED, MISMATCH = 6, 9, 18
# ECC and firmware keep some of the memory that is printed on the card: a T4 of 16 GB shows 15.0.
MEMORY_TOLERANCE = 0.90


@dataclass(frozen=True)
class Gpu:
    """A GPU as nvidia-smi sees it; memory in bytes."""

    uuid: str
    memory: int
    driver: str


@dataclass(frozen=True)
class Condition:
    """What a host says about its driver.

    Args:
        smi: exit code of nvidia-smi. answer: its words where that is not 0.
        module: version of the installed module for the kernel that runs; "" where there is none.
        kernel: the running one. built_for: kernels that have the module.
        nouveau: whether the free driver holds the cards.
        cdi: UUIDs that containers can ask for. fabric: version of the fabric manager, "" where none.
    """

    smi: int
    answer: str
    gpus: tuple[Gpu, ...]
    module: str
    kernel: str
    built_for: tuple[str, ...]
    nouveau: bool
    cdi: frozenset[str]
    fabric: str = ""


SCRIPT = r"""
if command -v nvidia-smi >/dev/null 2>&1; then
answer=$(nvidia-smi --query-gpu=uuid,memory.total,driver_version --format=csv,noheader,nounits 2>&1)
echo "smi $?"; printf '%s\n' "$answer" | sed 's/^/answer /'; else echo "smi 127"; fi
echo "module $(modinfo -F version nvidia 2>/dev/null)"; echo "kernel $(uname -r)"
for m in /lib/modules/*; do
[ -z "$(find "$m" -name 'nvidia.ko*' 2>/dev/null | head -1)" ] || echo "built ${m##*/}"; done
grep -q '^nouveau ' /proc/modules && echo "nouveau yes"
nvidia-ctk cdi list 2>/dev/null | sed -n 's/^nvidia.com.gpu=\(GPU-.*\)/cdi \1/p'
dpkg-query -W -f '${db:Status-Status} ${Version}\n' 'nvidia-fabricmanager*' 2>/dev/null |
sed -n 's/^installed /fabric /p'
true"""


def read(lines: Sequence[str]) -> Condition:
    """The `Condition` that the output of `SCRIPT` describes."""
    seen: dict[str, list[str]] = {}
    for line in lines:
        key, _, value = line.partition(" ")
        seen.setdefault(key, []).append(value.strip())
    smi = int(seen.get("smi", ["127"])[0])
    answer = seen.get("answer", [])
    return Condition(
        smi=smi,
        answer=" ".join(answer) if smi else "",
        gpus=tuple(_gpu(row) for row in answer if row.startswith("GPU-")) if smi == 0 else (),
        module=seen.get("module", [""])[0],
        kernel=seen.get("kernel", [""])[0],
        built_for=tuple(seen.get("built", [])),
        nouveau="nouveau" in seen,
        cdi=frozenset(seen.get("cdi", [])),
        fabric=seen.get("fabric", [""])[0],
    )


def _gpu(row: str) -> Gpu:
    uuid, memory, driver = (field.strip() for field in row.split(","))
    return Gpu(uuid, int(memory) * MIB, driver)


def works(now: Condition) -> bool:
    """Whether the module that runs is the one that is installed."""
    return now.smi == 0 and not now.nouveau and {gpu.driver for gpu in now.gpus} == {now.module}


def reason_to_reboot(now: Condition) -> str | None:
    """Why only a reboot helps; None where none is needed, or none would help."""
    if works(now) or (not now.module and not now.built_for):
        return None
    if now.nouveau:
        return "nouveau holds the GPUs"
    if not now.module:
        return f"kernel {now.kernel} runs, but the NVIDIA module is built for {', '.join(now.built_for)}"
    if now.smi == NOT_LOADED:
        return f"the NVIDIA module {now.module} is not loaded"
    if now.smi == MISMATCH:
        return f"an older NVIDIA module runs than the installed {now.module}"
    if now.smi == 0 and now.gpus:
        return f"NVIDIA module {now.gpus[0].driver} runs, {now.module} is installed"
    return None


def may_load(now: Condition) -> bool:
    """Whether loading the module by hand could spare a reboot."""
    return now.smi == NOT_LOADED and bool(now.module) and not now.nouveau


def complaints(now: Condition, node: Node, on_bus: int) -> list[str]:
    """What is wrong with a host whose driver should work by now; empty where all is well.

    Args:
        on_bus: GPUs that lspci lists.
    """
    if not now.module:
        where = f" for kernel {now.kernel}" if now.built_for else ""
        return [
            f"no NVIDIA module is built{where}. See dkms status and /var/lib/dkms/nvidia/*/build/make.log."
        ]
    if now.smi:
        return [f"nvidia-smi fails ({now.smi}): {now.answer}. See dmesg | grep -i nvrm."]
    found = []
    if not works(now):
        found.append(f"{reason_to_reboot(now)}, also after the reboot.")
    if not len(now.gpus) == on_bus == node.gpus:
        found.append(
            f"nvidia-smi sees {len(now.gpus)} GPUs, lspci {on_bus}, the inventory says {node.gpus}. "
            "A card that the driver leaves out is named in dmesg | grep -i nvrm."
        )
    for gpu in now.gpus:
        if gpu.memory < node.gpu_memory * MEMORY_TOLERANCE:
            has, wants = gpu.memory // MIB, node.gpu_memory // MIB
            found.append(f"{gpu.uuid} has {has} MiB of memory, the inventory's gpu_memory says {wants} MiB.")
    if now.fabric and now.gpus and not now.fabric.startswith(now.gpus[0].driver):
        found.append(
            f"fabric manager {now.fabric} does not fit driver {now.gpus[0].driver}: CUDA cannot start."
        )
    return found


def without_cdi(now: Condition) -> list[str]:
    """GPUs that containers cannot ask for yet."""
    return [gpu.uuid for gpu in now.gpus if gpu.uuid not in now.cdi]

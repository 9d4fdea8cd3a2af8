"""Driver and container devices of a GPU host: one source, one branch, the right module, proved to work."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from pyinfra import host
from pyinfra.api import FactBase, FunctionCommand, StringCommand, deploy, operation

from fleet import Node, Site
from roles.nvidia.condition import (
    SCRIPT,
    Condition,
    complaints,
    may_load,
    read,
    reason_to_reboot,
    without_cdi,
)
from roles.nvidia.driver import DriverError, gpus
from roles.nvidia.plan import Plan, of_branch, plan
from roles.nvidia.reboot import reboot_in_turn
from steps.files import File, absent, place, render
from steps.packages import APT, PackageStates
from steps.platform import platform
from steps.refusal import refuse
from steps.shell import run
from steps.sources import sources
from steps.units import changed, units

BLACKLIST = "/etc/modprobe.d/blacklist-nouveau.conf"
REFRESH = "nvidia-cdi-refresh"
ENABLED = (f"{REFRESH}.path", f"{REFRESH}.service")
HELD = "apt-mark showhold | grep -E '^(lib|linux-modules-)?nvidia-'"
PINNINGS = "dpkg-query -W -f '${Package}\\n' 'nvidia-driver-pinning-*'"
HAS_CONTRIB = "apt-get indextargets --format '$(COMPONENT)' | grep -qx contrib"

# Why each host of this run has to be rebooted; read on all hosts before the first reboot.
_reasons: dict[str, str] = {}


@deploy("NVIDIA")
def nvidia(site: Site, member: Node) -> None:
    """Install driver and container toolkit, reboot if only that helps, and see every GPU."""
    here = platform()
    try:
        wanted = plan(site, here)
    except DriverError as error:
        impossible(name="Choose a driver", message=str(error))
        return
    settings = place(name="Keep nouveau and unattended upgrades away", files=files())
    run(
        name="Take nouveau out of the initramfs",
        commands=["! command -v update-initramfs >/dev/null || update-initramfs -u"],
        after=[settings],
    )
    repositories = sources(name="Add NVIDIA's repositories", sources=wanted.sources)
    if here.id == "debian":
        run(
            name="Enable contrib",
            commands=[render("nvidia/contrib.sh")],
            unless=f"dpkg -s nvidia-driver-cuda || {HAS_CONTRIB}",
        )
    install(
        name=f"Install driver {wanted.branch} and container toolkit", plan=wanted, update_if=[repositories]
    )
    absent(name="Remove the stale list of GPUs", paths=["/etc/cdi/nvidia.yaml"])
    inspect(name="Compare the loaded with the installed module")
    reboot(name="Reboot what needs it, one host at a time", node=member, on_bus=len(gpus(here.nvidia)))
    units(
        name="Keep the GPUs initialised and listed",
        running=wanted.units,
        enabled=ENABLED,
    )
    prove(name="See every GPU", node=member, on_bus=len(gpus(here.nvidia)))


def files() -> list[File]:
    """What keeps nouveau and unattended upgrades away, and the list of GPUs for containers right."""
    drop_in = f"/etc/systemd/system/{REFRESH}.service.d/vibevoice.conf"
    return [
        File(BLACKLIST, render("nvidia/nouveau.conf")),
        File("/etc/apt/apt.conf.d/52vibevoice-nvidia", render("nvidia/unattended-upgrades.conf")),
        File(drop_in, render("nvidia/cdi-refresh.conf")),
        File(f"/etc/nvidia-container-toolkit/{REFRESH}.env", render("nvidia/cdi-refresh.env")),
    ]


@operation()
def impossible(message: str):
    """Fail the host: no driver fits its GPUs."""
    yield refuse(message)


@operation()
def install(plan: Plan, update_if: Sequence[Any] = ()):
    """Install the driver of one branch, and hold all of it: it moves only when the inventory says so."""
    exact, names = plan.exact, plan.packages
    states = host.get_fact(PackageStates, packages=names)
    versions = {name: version for name, (version, _) in states.items()}
    stale = [name for name in plan.driver if plan.pinning and not of_branch(versions.get(name), plan.branch)]
    missing = [
        name for name in names if name not in versions or (exact.get(name) and versions[name] != exact[name])
    ]
    loose = names if stale or missing else [name for name in names if not states[name][1]]
    if changed(update_if) or stale or missing:
        yield f"{APT} update"
    if stale or missing:
        # apt changes a held package when told to, but never removes one: the old branch would stay for ever.
        yield f"{HELD} | xargs -r apt-mark unhold"
    options = "--allow-change-held-packages --allow-downgrades --no-install-recommends"
    if plan.pinning in missing:
        # Before the driver, or apt takes the newest branch. The preferences of another branch count as
        # configuration, which outlives its package unless that is purged.
        yield f"{APT} install {options} {plan.pinning}"
        yield f"{PINNINGS} | grep -vx {plan.pinning} | xargs -r env {APT} purge"
    if stale or missing:
        # All of the driver in one step: its parts must be of one version.
        driver = [f"{name}={plan.branch}.*" if plan.pinning else name for name in plan.driver]
        others = [f"{name}={version}" if version else name for name, version in exact.items()]
        yield f"{APT} install {options} {shlex.join([*driver, *others])}"
    if loose:
        yield f"apt-mark hold {' '.join(loose)}"
    else:
        host.noop("the driver is installed")


class ConditionFact(FactBase[Condition]):
    """How the host's driver is doing."""

    def command(self) -> str:
        return SCRIPT

    def process(self, output: list[str]) -> Condition:
        return read(output)


@operation()
def inspect():
    """Note whether the host has to be rebooted; spare it that where the module can simply be loaded."""
    now = host.get_fact(ConditionFact)
    if may_load(now):
        yield StringCommand("modprobe nvidia 2>/dev/null || true")
        now = host.get_fact(ConditionFact)
    reason = reason_to_reboot(now)
    if reason is None:
        _reasons.pop(host.name, None)
    else:
        _reasons[host.name] = reason


@operation()
def reboot(node: Node, on_bus: int):
    """Reboot the host if it has to be, when its turn comes, and see its GPUs before the next one's turn."""
    reason = _reasons.pop(host.name, None)
    if reason is None:
        return
    current: Any = host

    def proof() -> list[str]:
        return complaints(current.get_fact(ConditionFact), node, on_bus)

    yield FunctionCommand(reboot_in_turn, (), {"reason": reason, "proof": proof})


@operation()
def prove(node: Node, on_bus: int):
    """Every declared GPU answers, has its memory, and can be given to a container by its UUID."""
    now = host.get_fact(ConditionFact)
    wrong = complaints(now, node, on_bus)
    if not wrong and without_cdi(now):
        yield f"systemctl restart {REFRESH}.service"
        now = host.get_fact(ConditionFact)
        missing = without_cdi(now)
        wrong = (
            [f"containers cannot ask for {', '.join(missing)}: see journalctl -u {REFRESH}."]
            if missing
            else []
        )
    if wrong:
        yield refuse("\n".join(wrong))

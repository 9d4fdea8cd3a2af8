"""Driver, Docker and kernel, moved to what their repositories offer, one host after the other."""

# pyinfra types the first positional argument of every verb as `_sudo`; at run time they are ours.
# pyright: reportCallIssue=false

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pyinfra import host, inventory, state
from pyinfra.api import FunctionCommand, deploy, operation
from pyinfra.api.exceptions import PyinfraError
from pyinfra.context import ctx_host

from fleet import Gateway, Member, Node, Site
from fleet.drained import Mark
from roles.docker import engine
from roles.drain import MarkFact, command, leave, mark_again, say, serve_again
from roles.drain import reason as why_not
from roles.lock import lock, lost, unlock
from roles.nvidia import ConditionFact, install, prove
from roles.nvidia.condition import complaints
from roles.nvidia.condition import reason_to_reboot as driver_asks
from roles.nvidia.driver import DriverError, gpus
from roles.nvidia.plan import Plan
from roles.nvidia.plan import plan as driver_plan
from roles.nvidia.reboot import reboot_in_turn
from roles.upgrade.plan import (
    KINDS,
    STATE,
    Package,
    Prospect,
    Steps,
    headers,
    in_words,
    kinds,
    objections,
    question,
    read,
    reason_to_reboot,
    what_for,
)
from roles.upgrade.turns import Stopped, Turns
from roles.verify import silent
from roles.wireguard import carries
from steps.asking import ask
from steps.options import Mistake
from steps.packages import PackageStates
from steps.platform import Platform, platform
from steps.refusal import complain, refuse
from steps.shell import run

__all__ = ["KINDS", "chosen", "is_wanted", "upgrade"]

# How the mark of a node that an upgrade has drained begins: it is the upgrade's to remove.
WHY = "upgrade of "
# apt forgets the hold of what it changes; whatever apt does, what was held is held again.
HELD = (
    "held=$(apt-mark showhold); {{ {commands}; }}; code=$?; apt-mark hold $held >/dev/null 2>&1; exit $code"
)

_prospects: dict[str, Prospect] = {}
_steps: dict[str, Steps] = {}
# Hosts whose driver moves to another branch.
_branches: dict[str, Plan] = {}
_rounds: list[Turns] = []


class Failed(Exception):
    """The host is not as it has to be; the message is for the operator."""


def chosen(words: str) -> tuple[str, ...]:
    """The kinds that `--data what=…` names.

    Raises:
        Mistake: one is not known.
    """
    try:
        return kinds(words)
    except ValueError as error:
        raise Mistake(str(error)) from error


def is_wanted(member: Member) -> bool:
    """Whether this host is upgraded: nodes are, the gateway where `--limit` names it."""
    return isinstance(member, Node) or isinstance(state.limit_hosts, list)


@deploy("Upgrade")
def upgrade(site: Site, member: Member, what: Sequence[str]) -> None:
    """Upgrade the hosts of the run in turn, each drained meanwhile; stop at the first failure."""
    here = platform()
    try:
        steps = steps_for(site, member, here, what)
    except DriverError as error:
        raise Mistake(f"{member.host}: {error}") from error
    look(name="Ask apt what there is", steps=steps, driver=driver_wanted(site, member, here, what))
    judge(name="Refuse what cannot work")
    in_turn(name="Upgrade one host after the other", site=site, member=member, what=what)


def driver_wanted(site: Site, member: Member, here: Platform, what: Sequence[str]) -> Plan | None:
    """The driver that the inventory wants; None where the driver is not to be touched."""
    return driver_plan(site, here) if isinstance(member, Node) and "driver" in what else None


def steps_for(site: Site, member: Member, here: Platform, what: Sequence[str]) -> Steps:
    """What apt is told on a host. Raises DriverError where no driver fits its GPUs."""
    found: list[str] = []
    what = what_for(member, what)
    if isinstance(member, Node) and ("driver" in what or "kernel" in what):
        wanted = driver_plan(site, here)
        if "driver" in what:
            found += [f"{name}={wanted.branch}.*" if wanted.pinning else name for name in wanted.driver]
        if "kernel" in what:
            # Ubuntu's modules are packages of their own, for one kernel each.
            ready = [name for name in wanted.driver if name.startswith("linux-modules-")]
            found += ready if "driver" not in what else []
            found += headers(here.kernel, here.architecture) if wanted.pinning else ()
    if "docker" in what:
        found += engine.VENDOR if engine.from_vendor(site, here) else engine.distribution(here)
    return Steps(install=tuple(found), everything="kernel" in what)


@operation()
def look(steps: Steps, driver: Plan | None):
    """Have apt read its lists and say what it would do. It fails on no host: all have to answer first."""
    if not state.is_executing:
        return
    names = (*steps.names, *([driver.pinning] if driver and driver.pinning else []))
    there = host.get_fact(PackageStates, packages=names) if names else {}
    known = [entry for entry in steps.install if entry.partition("=")[0] in there]
    if driver is not None and driver.pinning and driver.pinning not in there:
        # Another branch than the one that is pinned: apt sees none of its packages yet.
        _branches[host.name] = driver
        known = [entry for entry in known if entry.partition("=")[0] not in driver.driver]
    _steps[host.name] = Steps(tuple(known), steps.everything)
    _, said = ask(host, question(_steps[host.name]))
    _prospects[host.name] = read(said.splitlines())
    yield from ()


@operation()
def judge():
    """Fail the run, before anything is drained, where one host cannot be upgraded."""
    if state.is_executing and (wrong := objections(_prospects[host.name])):
        yield refuse("\n".join(wrong))


@operation(_set_in_op=False)
def in_turn(site: Site, member: Member, what: Sequence[str]):
    """Upgrade the host when its turn comes."""
    yield FunctionCommand(upgrade_in_turn, (), {"site": site, "member": member, "what": what})


def upgrade_in_turn(state: Any, host: Any, site: Site, member: Member, what: Sequence[str]) -> bool:
    """Upgrade the host once all before it are through, and well."""
    if not _rounds:
        active = {other.name for other in state.inventory.get_active_hosts()}
        # The gateway last: nodes may be reached through it.
        _rounds.append(Turns([one.host for one in (*site.nodes, site.gateway) if one.host in active]))
    try:
        with _rounds[0].turn(host.name):
            if reason := lost():
                raise Failed(reason)
            if isinstance(member, Node):
                _upgrade_node(state, host, site, member, what_for(member, what))
            else:
                _upgrade_gateway(state, host, site, member)
    except Stopped as stopped:
        complain(host, f"Left as it was, because {stopped} failed.")
        return False
    except (Failed, PyinfraError) as error:
        _stay(host, site, member, what, why_not(error))
        return False
    return True


def _upgrade_node(state: Any, host: Any, site: Site, node: Node, what: Sequence[str]) -> None:
    before = host.get_fact(MarkFact)
    unfinished = before is not None and before.why.startswith(WHY)
    packages, branch = _prospects[host.name].packages, _branches.get(host.name)
    if not (packages or branch or unfinished or _reason_to_reboot(host, node)):
        say("has nothing to upgrade.")
        return
    _tell(packages, branch, unfinished)
    leave(name="Drain the node", site=site, node=node, why=f"{WHY}{', '.join(what)}")
    _packages(host)
    if branch:
        install(name=f"Install driver {branch.branch}", plan=branch)
    if reason := _reason_to_reboot(host, node):
        _reboot(state, host, node, reason)
    _prove_node(host, site, node)
    if before is not None and not unfinished:
        say(f"is upgraded and stays as it was, {before.words(time.time())}.")
        return
    if not serve_again(state, host, site, node):
        raise Failed("its studios do not become ready")
    _ask_projects(site, node)


def _tell(packages: Sequence[Package], branch: Plan | None, unfinished: bool) -> None:
    if unfinished:
        say("goes on where the upgrade before stopped.")
    if branch:
        say(f"moves to driver {branch.branch}.")
    if packages:
        say(f"upgrades {in_words(packages)}.")


def _upgrade_gateway(state: Any, host: Any, site: Site, gateway: Gateway) -> None:
    packages = _prospects[host.name].packages
    reason = _reason_to_reboot(host, gateway)
    if not packages and reason is None:
        say("has nothing to upgrade.")
        return
    say(f"upgrades {in_words(packages)}." if packages else f"has nothing to upgrade, but {reason}.")
    _packages(host)
    if reason := _reason_to_reboot(host, gateway):
        # The lock lives on this very host, and by its connection.
        unlock(site, gateway)
        _reboot(state, host, gateway, reason)
        lock(site, gateway, what="upgrade")
    _prove_docker(host)
    _ask_projects(site, None)


def _packages(host: Any) -> None:
    """Upgrade, and have held again what was held."""
    commands = " && ".join(_steps[host.name].commands())
    if commands:
        run(name="Upgrade the packages", commands=[HELD.format(commands=commands)])


def _reason_to_reboot(host: Any, member: Member) -> str | None:
    """Why the host has to be rebooted now; None where it has not.

    Raises:
        Failed: it would come back without its driver.
    """
    _, said = ask(host, STATE)
    now = read(said.splitlines())
    if not isinstance(member, Node):
        return reason_to_reboot(now)
    condition = host.get_fact(ConditionFact)
    if now.newest and now.newest not in condition.built_for:
        raise Failed(
            f"no NVIDIA module is built for kernel {now.newest}, with which it would boot. "
            "See dkms status and /var/lib/dkms/nvidia/*/build/make.log."
        )
    return reason_to_reboot(now) or driver_asks(condition)


def _reboot(state: Any, host: Any, member: Member, reason: str) -> None:
    def proof() -> list[str]:
        if not isinstance(member, Node):
            return []
        return complaints(host.get_fact(ConditionFact), member, len(gpus(platform().nvidia)))

    if not reboot_in_turn(state, host, reason=reason, proof=proof):
        raise Failed("it did not come back well from its reboot")


def _prove_node(host: Any, site: Site, node: Node) -> None:
    """Every GPU for containers, Docker, and the way to the gateway."""
    prove(name="See every GPU", node=node, on_bus=len(gpus(platform().nvidia)))
    carries(name="Reach the gateway through wg0", site=site)
    _prove_docker(host)


def _prove_docker(host: Any) -> None:
    # A daemon that has just been restarted takes a moment to answer.
    well, said = ask(host, "for try in 1 2 3 4 5 6 7 8 9 10; do docker info && exit 0; sleep 1; done; exit 1")
    if not well:
        raise Failed(f"Docker does not answer: {said[-500:]} See journalctl -u docker.")


def _ask_projects(site: Site, node: Node | None) -> None:
    """Wait until the node's projects, or all, answer over HTTPS."""
    projects = site.projects_on(node.host) if node else site.projects
    gateway = inventory.get_host(site.gateway.host)
    with ctx_host.use(gateway):
        wrong = silent(site, projects)
    if wrong:
        raise Failed("\n".join(dict.fromkeys(one.words for one in wrong)))


def _stay(host: Any, site: Site, member: Member, what: Sequence[str], reason: str) -> None:
    """Say why the host is not through, how to go on, and leave the reason in its mark."""
    complain(host, f"The upgrade failed: {reason}")
    mark = _mark(host) if isinstance(member, Node) else None
    kept = f"--data what={shlex.quote(','.join(what))}"
    go_on = command(site, f"ops/upgrade.py --limit {host.name} {kept}")
    if mark is not None:
        if mark.why.startswith(WHY):
            first = next(iter(reason.splitlines()), "")
            why = f"{WHY}{', '.join(what_for(member, what))} failed: {first}"
            mark_again(host, replace(mark, why=why[:300]))
        back = command(site, f"ops/undrain.py --data host={host.name}")
        complain(host, f"It stays drained. Repair it, then go on: {go_on}\nOr let it serve as it is: {back}")
    else:
        complain(host, f"Repair it, then go on: {go_on}")


def _mark(host: Any) -> Mark | None:
    try:
        return host.get_fact(MarkFact)
    except Exception:
        # It does not answer; the mark is where it was.
        return None

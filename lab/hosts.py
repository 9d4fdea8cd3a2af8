"""Verbs on the lab's hosts: boot, stop, kill, reboot, reset; and how to reach them over SSH."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from lab import base, cgroup, process, root, topology
from lab.paths import KNOWN_HOSTS, REPO, SSH, SSH_CONFIG, SSH_KEY
from lab.topology import Host

BOOT_LIMIT_S = 90.0
_HALT_LIMIT_S = 25.0


def boot(host: Host) -> bool:
    """Start the host, bare if it is new; returns once it may be logged into. False: it was up."""
    started = power_on(host)
    if not reachable(host) and not process.wait_until(lambda: reachable(host), BOOT_LIMIT_S, 0.3):
        raise RuntimeError(
            f"{host.name} cannot be logged into {BOOT_LIMIT_S:.0f} s after its start. "
            f"End of {process.log_path(_supervisor(host))}:\n{process.log_tail(_supervisor(host))}"
        )
    return started


def power_on(host: Host) -> bool:
    """Start the host without waiting for it; False when it was running."""
    if process.alive(_supervisor(host)):
        return False
    cgroup.kill(host.name)  # what a killed supervisor may have left
    _unplug(host.name)
    base.build(host.release)
    root.host_key(host)
    _share_packages(host)
    argv = [
        "unshare",
        "--mount",
        "--propagation",
        "private",
        sys.executable,
        "-m",
        "lab.supervise",
        host.name,
    ]
    return process.start(_supervisor(host), argv, cwd=REPO)


def halt(host: Host) -> None:
    """Shut the host down in order, by force after a while."""
    _halt(host.name)


def halt_everything() -> None:
    """Halt every host that runs or has left something behind, also one the topology does not know."""
    all_at_once(_halt, sorted({*_started(), *cgroup.names()}))


def _halt(name: str) -> None:
    process.stop(f"host-{name}", limit_s=_HALT_LIMIT_S)
    cgroup.kill(name)


def _started() -> set[str]:
    return {name.removeprefix("host-") for name in process.names() if name.startswith("host-")}


def kill(host: Host) -> None:
    """End the host as a power cut does. It stays off until ``boot``.

    The cable goes first: a process that is merely killed still says goodbye to its peers.
    """
    _unplug(host.name)
    cgroup.kill(host.name)
    process.stop(_supervisor(host))


def _unplug(name: str) -> None:
    """Take the host's network interface away; it outlives a killed host by the seconds its sockets linger."""
    command = ["ip", "link", "delete", "dev", f"vb-{name}"]
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def reboot(host: Host) -> None:
    """Reboot the host in order and return once it may be logged into again."""
    before = boot_id(host)
    run(host, "systemctl reboot")
    if not process.wait_until(lambda: boot_id(host) not in (None, before), BOOT_LIMIT_S + _HALT_LIMIT_S, 0.5):
        raise RuntimeError(
            f"{host.name} did not come back from its reboot:\n{process.log_tail(_supervisor(host))}"
        )


def reset(host: Host) -> None:
    """Make the host bare and boot it; its SSH host key and its downloaded packages stay."""
    kill(host)
    root.discard(host)
    boot(host)


def boot_all() -> None:
    """Boot every host of the topology, and take away those it no longer has.

    A host that the topology has changed (other GPUs, another release) is booted anew.
    """
    changed = [host.name for host in topology.hosts() if not root.runs_as(host)]
    all_at_once(_halt, [*_strangers(), *changed])
    all_at_once(boot, topology.hosts())


def all_up() -> bool:
    """Whether exactly the hosts of the topology run, as the topology has them."""
    every = topology.hosts()
    if _strangers() or not all(root.runs_as(host) for host in every):
        return False
    return all(answer == "up" for answer in all_at_once(state, every))


def all_at_once(verb: Callable[[Any], Any], hosts: Sequence[Any]) -> list[Any]:
    """Call ``verb`` for every host (or name of one) at the same time, in order of ``hosts``.

    The first error is raised after all have ended.
    """
    if not hosts:
        return []
    with ThreadPoolExecutor(len(hosts)) as pool:
        return [future.result() for future in [pool.submit(verb, host) for host in hosts]]


def state(host: Host) -> str:
    """``off``, ``booting`` or ``up``."""
    if not process.alive(_supervisor(host)):
        return "off"
    return "up" if reachable(host) else "booting"


def run(host: Host, command: str) -> subprocess.CompletedProcess:
    """Run a shell command on the host as root (by sudo where root may not log in)."""
    if host.user != "root":
        command = f"sudo {command}"
    return _ssh(host, command, limit_s=30)


def reachable(host: Host) -> bool:
    """Whether the host's user may log in now."""
    with suppress(subprocess.TimeoutExpired):
        return _ssh(host, "true", limit_s=10).returncode == 0
    return False


def boot_id(host: Host) -> str | None:
    """What tells one life of the host from the next; None while it cannot be logged into."""
    with suppress(subprocess.TimeoutExpired):
        done = _ssh(host, "cat /proc/sys/kernel/random/boot_id", limit_s=10)
        return done.stdout.strip() if done.returncode == 0 else None
    return None


def _strangers() -> list[str]:
    return sorted(_started() - {host.name for host in topology.hosts()})


def write_ssh() -> None:
    """The lab's key pair, every host's public key, and a configuration for ssh and the tests."""
    if not SSH_KEY.exists():
        root.make_key(SSH_KEY, comment="vibevoice-lab")
    for path, text in _ssh_files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def ssh_is_written() -> bool:
    """Whether the lab's SSH files are there and say what the topology says."""
    if not SSH_KEY.exists():
        return False
    return all(path.exists() and path.read_text() == text for path, text in _ssh_files().items())


def _ssh_files() -> dict[Path, str]:
    known = "".join(_known(host) for host in topology.hosts())
    entries = "\n".join(_ssh_entry(host) for host in topology.hosts())
    return {KNOWN_HOSTS: known, SSH / "known_hosts": known, SSH_CONFIG: entries}


def _known(host: Host) -> str:
    public = root.host_key(host).with_suffix(".pub").read_text().split()
    return f"{host.name},{host.name}.{topology.DOMAIN},{host.address} {public[0]} {public[1]}\n"


def _ssh_entry(host: Host) -> str:
    lines = [
        f"Host {host.name} {host.name}.{topology.DOMAIN} {host.address}",
        f"  HostName {host.address}",
        f"  User {host.user}",
        f"  IdentityFile {SSH_KEY}",
        "  IdentitiesOnly yes",
        f"  UserKnownHostsFile {SSH / 'known_hosts'}",
        "  StrictHostKeyChecking yes",
        "  ConnectTimeout 5",
        "  BatchMode yes",
    ]
    return "\n".join([*lines, *([f"  ProxyJump {host.jump}"] if host.jump else []), ""])


def _ssh(host: Host, command: str, limit_s: float) -> subprocess.CompletedProcess:
    """Straight to the host: the lab itself does not depend on the jump host being up."""
    argv = ["ssh", "-F", str(SSH_CONFIG), "-o", "ProxyJump=none", "-o", "LogLevel=ERROR", host.name, command]
    return subprocess.run(
        argv, capture_output=True, text=True, timeout=limit_s, stdin=subprocess.DEVNULL, check=False
    )


def _share_packages(host: Host) -> None:
    """Give the host what its sisters of the same release have downloaded, as links to the same files."""
    mine = root.plain(host, "/var/cache/apt/archives")
    mine.mkdir(parents=True, exist_ok=True)
    for sister in topology.hosts():
        if sister.release == host.release and sister.name != host.name:
            for package in root.plain(sister, "/var/cache/apt/archives").glob("*.deb"):
                with suppress(FileExistsError, FileNotFoundError):
                    (mine / package.name).hardlink_to(package)


def _supervisor(host: Host) -> str:
    return f"host-{host.name}"

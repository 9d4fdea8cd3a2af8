"""Verbs on the lab's hosts: boot, stop, kill, reboot, reset; and how to reach them over SSH."""

from __future__ import annotations

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

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
    process.stop(_supervisor(host), limit_s=_HALT_LIMIT_S)
    cgroup.kill(host.name)


def kill(host: Host) -> None:
    """End the host as a power cut does. It stays off until ``boot``."""
    cgroup.kill(host.name)
    process.stop(_supervisor(host))


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


def all_at_once(verb, hosts: list[Host]) -> list:
    """Call ``verb`` for every host at the same time; the first error is raised after all have ended."""
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


def forget_removed() -> None:
    """Halt and remove hosts that the topology no longer has."""
    known = {host.name for host in topology.hosts()}
    for name in process.names():
        if name.startswith("host-") and name.removeprefix("host-") not in known:
            process.stop(name, limit_s=_HALT_LIMIT_S)
            cgroup.kill(name.removeprefix("host-"))


def write_ssh() -> None:
    """The lab's key pair, every host's public key, and a configuration for ssh and the tests."""
    if not SSH_KEY.exists():
        root.make_key(SSH_KEY, comment="vibevoice-lab")
    known = "".join(_known(host) for host in topology.hosts())
    _write_if_new(KNOWN_HOSTS, known)
    _write_if_new(SSH / "known_hosts", known)
    _write_if_new(SSH_CONFIG, "\n".join(_ssh_entry(host) for host in topology.hosts()))


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


def purge() -> None:
    """Remove every host's root for good; bases, packages on them and keys of the lab stay."""
    for host in topology.hosts():
        root.discard(host)
        shutil.rmtree(root.home(host) / "root", ignore_errors=True)


def _supervisor(host: Host) -> str:
    return f"host-{host.name}"


def _write_if_new(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)

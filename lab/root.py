"""A host's root file system: the release's base below, the host's own layer above.

Everything here runs in the supervisor's private mount namespace, so no mount outlives the host.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from lab import topology
from lab.base import base
from lab.paths import HOSTS, REPO, SSH_KEY
from lab.topology import Host

# Overlay on overlay is refused by the kernel, and images are large: these lie on the plain disk.
PLAIN = {
    "/var/lib/docker": "docker",
    "/var/lib/containerd": "containerd",
    "/var/lib/containers": "containers",
    "/srv/vibevoice": "srv",
    "/var/cache/apt/archives": "archives",
}

_LSPCI = REPO / "lab" / "hardware" / "lspci"


def home(host: Host) -> Path:
    """The folder that holds all there is of ``host``."""
    return HOSTS / host.name


def plain(host: Host, inside: str) -> Path:
    """Where the folder ``inside`` of the host lies on the machine's own disk."""
    return home(host) / "plain" / PLAIN[inside]


def mount(host: Host) -> Path:
    """Mount the host's root and bring its identity up to date; returns where it lies."""
    top = home(host)
    lower = base(host.release)
    if _read(top / "base") != lower.name or _read(top / "identity") != _identity(host):
        discard(host)  # an upper layer means nothing over another base, nor half of one after a killed run
    for folder in ("upper", "work", "root"):
        (top / folder).mkdir(parents=True, exist_ok=True)
    for inside in PLAIN:
        plain(host, inside).mkdir(parents=True, exist_ok=True)
    (plain(host, "/var/cache/apt/archives") / "partial").mkdir(exist_ok=True)
    (top / "base").write_text(lower.name)
    root = top / "root"
    layers = f"lowerdir={lower},upperdir={top / 'upper'},workdir={top / 'work'}"
    subprocess.run(["mount", "-t", "overlay", f"vvlab-{host.name}", "-o", layers, str(root)], check=True)
    if not (top / "identity").exists():
        _personalise(host, root)
        (top / "identity").write_text(_identity(host))
    _hardware(host, root)
    (top / "running").write_text(repr(host))
    return root


def runs_as(host: Host) -> bool:
    """Whether the host was last booted with the base, identity and GPUs it should have now."""
    return (
        _read(home(host) / "running") == repr(host) and _read(home(host) / "base") == base(host.release).name
    )


def discard(host: Host) -> None:
    """Make the host bare again. Its downloaded packages and its SSH host key stay."""
    remove_disk(home(host))


def remove_disk(top: Path) -> None:
    """Remove what the host of folder ``top`` has written: its own layer and its plain folders.

    The marks go first: a run that is killed half-way must not leave a disk that passes for a whole one.
    """
    for mark in ("identity", "base", "running"):
        (top / mark).unlink(missing_ok=True)
    for folder in ("upper", "work", "root"):
        shutil.rmtree(top / folder, ignore_errors=True)
    for inside, folder in PLAIN.items():
        if inside != "/var/cache/apt/archives":
            shutil.rmtree(top / "plain" / folder, ignore_errors=True)


def host_key(host: Host) -> Path:
    """The host's private SSH key, made once and kept over resets (known_hosts stays true)."""
    key = home(host) / "ssh" / "ssh_host_ed25519_key"
    if not key.exists():
        make_key(key, comment=host.name)
    return key


def make_key(path: Path, comment: str) -> None:
    """Make an ed25519 key pair without a passphrase at ``path``."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def _identity(host: Host) -> str:
    return f"{host.address} {host.user}"


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _personalise(host: Host, root: Path) -> None:
    """What an installer asks: name, address, keys, who may log in."""
    machine_id = hashlib.md5(f"vvlab/{host.name}".encode(), usedforsecurity=False).hexdigest()
    _write(root, "etc/hostname", f"{host.name}\n")
    _write(root, "etc/machine-id", f"{machine_id}\n")
    _write(
        root, "etc/hosts", f"127.0.0.1 localhost\n{host.address} {host.name}.{topology.DOMAIN} {host.name}\n"
    )
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    _write(root, "etc/resolv.conf", f"nameserver {topology.MACHINE}\n")
    _write(root, "etc/systemd/network/10-host0.network", _network(host))
    key = host_key(host)
    _write(root, "etc/ssh/ssh_host_ed25519_key", key.read_text(), mode=0o600)
    _write(root, "etc/ssh/ssh_host_ed25519_key.pub", key.with_suffix(".pub").read_text())
    authorized = SSH_KEY.with_suffix(".pub").read_text()
    if host.user == "root":
        _write(root, "root/.ssh/authorized_keys", authorized, mode=0o600, folder=0o700)
        return
    in_root = ["chroot", str(root)]
    subprocess.run([*in_root, "useradd", "--create-home", "--shell", "/bin/bash", host.user], check=True)
    _write(root, f"home/{host.user}/.ssh/authorized_keys", authorized, mode=0o600, folder=0o700)
    subprocess.run([*in_root, "chown", "-R", f"{host.user}:", f"/home/{host.user}"], check=True)
    _write(root, f"etc/sudoers.d/{host.user}", f"{host.user} ALL=(ALL) NOPASSWD: ALL\n", mode=0o440)
    _write(root, "etc/ssh/sshd_config.d/10-no-root.conf", "PermitRootLogin no\n")


def _hardware(host: Host, root: Path) -> None:
    """The GPUs of the host, as a list and as lspci shows them; renewed at every boot."""
    if not host.gpus:
        return
    _write(root, "etc/vibevoice-lab/gpus", "".join(f"{gpu.line}\n" for gpu in host.gpus))
    if _LSPCI.exists():
        _write(root, "usr/local/bin/lspci", _LSPCI.read_text(), mode=0o755)


def _network(host: Host) -> str:
    return (
        "[Match]\nName=host0\n\n"
        f"[Network]\nAddress={host.address}/24\nGateway={topology.MACHINE}\n"
        "DHCP=no\nLinkLocalAddressing=ipv6\nLLDP=no\n"
    )


def _write(root: Path, name: str, text: str, *, mode: int = 0o644, folder: int = 0o755) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True, mode=folder)
    if path.exists() and path.read_text() == text:
        return
    path.write_text(text)
    os.chmod(path, mode)

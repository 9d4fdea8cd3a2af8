"""Runs one lab host: python -m lab.supervise HOST, in a mount namespace of its own.

systemd-nspawn without a machine's systemd ends with status 133 when the host reboots; it is then
started again. Any other end (power off, kill) ends the supervisor too.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from lab import cgroup, root, topology
from lab.topology import Host

REBOOT = 133
_CGROUPS = "/sys/fs/cgroup"


def main(name: str) -> int:
    """Boot the host ``name`` and keep it up over its reboots; returns nspawn's last exit status."""
    host = topology.host(name)
    _only_cgroup2()
    place = root.mount(host)
    status = REBOOT
    while status == REBOOT:
        print(f"== boot {name}", flush=True)
        status = _run(host, place)
        print(f"== {name} ended with {status}", flush=True)
    return status


def _run(host: Host, place: Path) -> int:
    """One life of the host, from boot to power off or reboot."""
    group = cgroup.make(host.name)

    def enter() -> None:
        (group / "cgroup.procs").write_text(str(os.getpid()))

    # A session of its own: nspawn takes a second SIGTERM for impatience and kills the host.
    nspawn = subprocess.Popen(
        _nspawn(host, place), preexec_fn=enter, start_new_session=True, stdin=subprocess.DEVNULL,
        env={**os.environ, **_SETTINGS},
    )  # fmt: skip
    # The orderly way down: nspawn hands it on to the host's init as a power off.
    signal.signal(signal.SIGTERM, lambda *_: nspawn.send_signal(signal.SIGTERM))
    return nspawn.wait()


# The host's own network settings (forwarding, bridges) must be writable; the rest of /proc/sys is
# the machine's and stays read-only.
_SETTINGS = {"SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network", "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"}


def _nspawn(host: Host, place: Path) -> list[str]:
    binds = [f"--bind={root.plain(host, inside)}:{inside}" for inside in root.PLAIN]
    return [
        "systemd-nspawn", "--quiet", "--boot", f"--directory={place}", f"--machine={host.name}",
        "--register=no", "--keep-unit", f"--network-bridge={topology.BRIDGE}",
        # Docker and WireGuard inside want what a whole machine may do.
        "--capability=all", "--system-call-filter=@keyring bpf", "--bind=/dev/net/tun", *binds,
        "--resolv-conf=off", "--timezone=off", "--link-journal=no", "--console=read-only",
    ]  # fmt: skip


def _only_cgroup2() -> None:
    """Systemd from 256 on boots under cgroup2 alone; a machine may still have the old hierarchies."""
    subprocess.run(["umount", "--recursive", "--lazy", _CGROUPS], check=True)
    subprocess.run(["mount", "-t", "cgroup2", "cgroup2", _CGROUPS], check=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

"""One bare Debian root per release, made by mmdebstrap and shared, read-only, by the hosts of it.

Where packages come from is the machine's own affair: its apt sources and connection settings are
read at run time, the suite exchanged. The name of a base holds a hash of all that went into it.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

from lab.paths import BASES, HOSTS
from lab.process import ALONE

# A bare host: what a provider's smallest image has, and nothing the roles are there to bring.
PACKAGES = (
    "apt", "ca-certificates", "curl", "dbus", "iproute2", "kmod", "libpam-systemd", "netbase",
    "openssh-server", "procps", "sudo", "systemd", "systemd-sysv", "udev",
)  # fmt: skip

# Lab roots are thrown away, so dpkg need not wait for the disk; downloads are kept for the next root.
APT_KEEP = 'APT::Keep-Downloaded-Packages "true";\nBinary::apt::APT::Keep-Downloaded-Packages "true";\n'
DPKG_FAST = "force-unsafe-io\npath-exclude=/usr/share/man/*\npath-exclude=/usr/share/locale/*\n"

# $1 is the new root. mmdebstrap's own source list and settings give way to ours; host keys are the
# host's own, so none is baked in.
_HOOKS = (
    'rm -f "$1"/etc/apt/sources.list.d/0000sources.list "$1"/etc/ssh/ssh_host_*',
    'rm -f "$1"/etc/apt/apt.conf.d/99mmdebstrap "$1"/etc/dpkg/dpkg.cfg.d/99mmdebstrap',
    'chroot "$1" update-ca-certificates',
    'chroot "$1" systemctl enable systemd-networkd',
    'chroot "$1" systemctl disable systemd-networkd-wait-online',
)

_SETTINGS = re.compile(r"Acquire::(https?::|Check-|Retries|ForceIPv|Languages|Max-FutureTime)", re.IGNORECASE)
_LOCAL_CERTIFICATES = Path("/usr/local/share/ca-certificates")
_LIMIT_S = 900

_building = threading.Lock()


def base(release: str) -> Path:
    """Path the base of ``release`` has, or will have once ``build`` has made it."""
    recipe = [
        release,
        PACKAGES,
        sources(release),
        apt_settings(),
        APT_KEEP,
        DPKG_FAST,
        _HOOKS,
        _certificates(),
    ]
    return BASES / f"{release}-{hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:12]}"


def build(release: str) -> bool:
    """Make the base of ``release`` unless it is there; returns whether it was made."""
    with _building:
        wanted = base(release)
        if wanted.is_dir():
            return False
        BASES.mkdir(parents=True, exist_ok=True)
        unfinished = wanted.with_name(f".{wanted.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        with tempfile.TemporaryDirectory() as scratch:
            command = [*ALONE, *_mmdebstrap(release, unfinished, Path(scratch))]
            done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
        if done.returncode != 0:
            tail = "\n".join(done.stderr.splitlines()[-20:])
            raise RuntimeError(f"mmdebstrap could not make a {release} root ({done.returncode}):\n{tail}")
        unfinished.rename(wanted)
        _sweep(release, keep=wanted)
        return True


def _sweep(release: str, keep: Path) -> None:
    """Remove older bases of the release that no host lies on."""
    used = {mark.read_text() for mark in HOSTS.glob("*/base")}
    for old in BASES.glob(f"{release}-*"):
        if old != keep and old.name not in used:
            shutil.rmtree(old, ignore_errors=True)


def sources(release: str) -> str:
    """The machine's Debian sources (main) with ``release`` in place of its own suite."""
    own = _own_release()
    listing = subprocess.run(
        ["apt-get", "indextargets", "--no-release-info",
         "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Identifier: Packages"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    suites = {own, f"{own}-updates", f"{own}-security"}
    found: dict[str, None] = {}
    for uri, suite, component in (line.split() for line in listing.splitlines()):
        if suite in suites and component == "main":
            found[f"deb {uri} {suite.replace(own, release)} main"] = None
    if not found:
        raise RuntimeError(f"apt on this machine has no source for {own} main: nothing to make hosts from")
    return "\n".join(found) + "\n"


def apt_settings() -> str:
    """How the machine's apt connects (proxies, certificates, clocks), in apt.conf's form."""
    dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True).stdout
    lines = (line for line in dump.splitlines() if _SETTINGS.match(line))
    return "".join(f"{line}\n" for line in lines if not line.endswith(' "";'))


def _mmdebstrap(release: str, target: Path, scratch: Path) -> list[str]:
    files = {
        "etc/apt/sources.list": sources(release),
        "etc/apt/apt.conf.d/90lab": APT_KEEP + apt_settings(),
        "etc/dpkg/dpkg.cfg.d/90lab": DPKG_FAST,
    }
    tree = scratch / "files"
    for name, text in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    (scratch / "sources.list").write_text(files["etc/apt/sources.list"])
    settings = scratch / "apt.conf"
    settings.write_text(apt_settings())
    certificates = tree / "usr/local/share/ca-certificates"
    certificates.mkdir(parents=True)
    for path in sorted(_LOCAL_CERTIFICATES.glob("*.crt")):
        shutil.copy(path, certificates)
    return [
        "mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", f"--include={','.join(PACKAGES)}",
        # Package lists stay, as on a host that has been installed.
        "--skip=cleanup/apt/lists",
        f"--aptopt={settings}",
        "--dpkgopt=force-unsafe-io", "--dpkgopt=path-exclude=/usr/share/man/*",
        "--dpkgopt=path-exclude=/usr/share/locale/*",
        f'--customize-hook=cp -rT {tree} "$1"', *(f"--customize-hook={hook}" for hook in _HOOKS),
        release, str(target), str(scratch / "sources.list"),
    ]  # fmt: skip


def _own_release() -> str:
    for line in Path("/etc/os-release").read_text().splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.partition("=")[2].strip('"')
    raise RuntimeError("/etc/os-release names no VERSION_CODENAME: the lab needs a Debian machine")


def _certificates() -> list[str]:
    return [path.read_text() for path in sorted(_LOCAL_CERTIFICATES.glob("*.crt"))]

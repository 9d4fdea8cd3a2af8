"""What every host needs first: packages, time, limits, folders, an sshd that bears the deploy."""

from __future__ import annotations

import shlex

from pyinfra import host
from pyinfra.api import deploy

from fleet import Gateway, Member, Site
from steps.files import Directory, File, directories, place, render
from steps.packages import APT, packages
from steps.platform import Platform, platform
from steps.shell import run

PACKAGES = ("ca-certificates", "curl", "iproute2", "iputils-ping", "pciutils", "procps", "zstd")
SSHD = "/etc/ssh/sshd_config.d/10-vibevoice.conf"
SYSCTL = "/etc/sysctl.d/60-vibevoice.conf"
JOURNALD = "/etc/systemd/journald.conf.d/vibevoice.conf"
# Any of these keeps the clock already; a second one would fight it.
TIME_SERVICES = "chrony.service ntp.service ntpsec.service openntpd.service"


@deploy("Base")
def base(site: Site, member: Member) -> None:
    """Bring a bare host to where the other roles can start."""
    # First of all: the following installs already wait for apt's lock.
    settings = place(
        name="Configure apt, kernel, journal and sshd",
        files=files(site, member, platform(), came_by_key(host.data.dict())),
    )
    packages(name="Install the basics", packages=PACKAGES)
    directories(name="Make the site's folders", directories=folders(member))
    run(name="Apply journal and sshd settings", commands=_apply(), after=[settings])
    run(
        name="Apply kernel settings",
        commands=[f"sysctl -q -p {SYSCTL} -e || true"],
        unless=in_force(sysctl(platform())),
    )
    if not platform().container:
        _keep_time()


def sysctl(here: Platform) -> str:
    """The host's kernel settings. A container's outside its network namespace are its host's."""
    return render("base/sysctl.conf", container=here.container)


def in_force(settings: str) -> str:
    """Shell test: the kernel has these settings, as far as they exist and are ours to set."""
    pairs = [line.split("=", 1) for line in settings.splitlines() if "=" in line and line[0] != "#"]
    tests = []
    for key, value in pairs:
        path = f"/proc/sys/{key.strip().replace('.', '/')}"
        # Several numbers have tabs between them there.
        now = f'"$(tr -s "\\t" " " < {path})"'
        tests.append(f"{{ [ ! -w {path} ] || [ {now} = {shlex.quote(value.strip())} ]; }}")
    return " && ".join(tests)


def files(site: Site, member: Member, here: Platform, by_key: bool) -> list[File]:
    """The settings of a host. `by_key`: `came_by_key`."""
    return [
        File("/etc/apt/apt.conf.d/90vibevoice", render("base/apt.conf")),
        File("/etc/needrestart/conf.d/vibevoice.conf", render("base/needrestart.conf")),
        File(SYSCTL, sysctl(here)),
        File(JOURNALD, render("base/journald.conf")),
        File(SSHD, sshd(hop=is_jump_host(site, member), keys=by_key)),
    ]


def sshd(hop: bool, keys: bool) -> str:
    """sshd's drop-in.

    Args:
        hop: others are reached through this host.
        keys: nobody needs a password.
    """
    return render("base/sshd.conf", hop=hop, keys=keys)


def came_by_key(connection: dict[str, object]) -> bool:
    """Whether this deploy itself logs in with a key: only then may passwords be turned off."""
    return not connection.get("ssh_password")


def is_jump_host(site: Site, member: Member) -> bool:
    """Whether other hosts of the site are reached through this one."""
    return any(other.ssh.jump == member.host for other in site.members) or isinstance(member, Gateway)


def _apply() -> list[str]:
    return [
        # sshd is only reloaded with a configuration that it accepts; connections that exist stay.
        "! command -v sshd >/dev/null || sshd -t",
        "systemctl reload ssh.service 2>/dev/null || systemctl reload sshd.service 2>/dev/null || true",
        "systemctl try-restart systemd-journald.service",
    ]


def folders(member: Member) -> list[Directory]:
    """The site's folders on a host."""
    root = "/srv/vibevoice"
    shared = [Directory(root), Directory("/etc/vibevoice"), Directory("/usr/local/lib/vibevoice")]
    if isinstance(member, Gateway):
        return [*shared, Directory(f"{root}/registry", "750"), Directory(f"{root}/certs", "700")]
    # Studios run as 10001 and write their jobs and lock files; weights are root's and read by all.
    return [
        *shared,
        Directory(f"{root}/weights"),
        Directory(f"{root}/projects"),
        Directory(f"{root}/gpus", "755", "10001", "10001"),
    ]


def _keep_time() -> None:
    """Have the clock kept, by whatever already keeps it."""
    run(
        name="Keep the clock",
        commands=[
            f"{APT} install systemd-timesyncd",
            "systemctl enable --now systemd-timesyncd.service",
        ],
        unless=f"systemctl is-active --quiet {TIME_SERVICES} systemd-timesyncd.service",
    )

"""Docker Engine: recent enough for CDI devices, configured before its first start, in order at boot."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from pyinfra import host
from pyinfra.api import StringCommand, deploy, operation

from fleet import Member, Site
from roles.docker import engine
from steps.files import TEMPLATES, File, FileStates, place, render, write
from steps.packages import packages
from steps.platform import platform
from steps.shell import Output, run
from steps.sources import sources
from steps.units import units

DAEMON = "/etc/docker/daemon.json"
HEAL = "/usr/local/lib/vibevoice/docker-heal"
SETTLED = "/usr/local/lib/vibevoice/docker-settled"
RUNNING, ENABLED = ("docker.service",), ("vibevoice-docker-heal.service",)


@deploy("Docker")
def docker(site: Site, member: Member) -> None:
    """Install, configure and start Docker Engine."""
    place(name="Order Docker at boot", files=boot_files())
    # Before the packages: their first start already reads it.
    daemon_config(name="Configure the daemon", config=engine.daemon(site))
    _install(site)
    units(name="Run Docker", running=RUNNING, enabled=ENABLED)
    run(name="Show Docker to the filter", commands=[SETTLED], unless="[ -S /run/vibevoice/docker.sock ]")


def boot_files() -> list[File]:
    """What orders Docker at boot, starts again what it failed to start, and shows it once it is settled."""
    units_at = "/etc/systemd/system"
    return [
        File(f"{units_at}/docker.service.d/vibevoice.conf", render("docker/docker.conf")),
        File(f"{units_at}/vibevoice-docker-heal.service", render("docker/vibevoice-docker-heal.service")),
        # Word for word: its own braces are Docker's, not ours to fill in.
        File(HEAL, (TEMPLATES / "docker" / "docker-heal.sh").read_text(), mode="755"),
        File(SETTLED, (TEMPLATES / "docker" / "docker-settled.sh").read_text(), mode="755"),
    ]


def _install(site: Site) -> None:
    here = platform()
    if not engine.from_vendor(site, here):
        packages(name="Install Docker", packages=engine.packages(site, here), hold=True)
        return
    repository = sources(name="Add Docker's repository", sources=[engine.source(site, here)])
    # They conflict with the distribution's, so apt takes those out in the same step.
    packages(name="Install Docker", packages=engine.packages(site, here), hold=True, update_if=[repository])


@operation()
def daemon_config(config: Mapping[str, Any]):
    """Replace daemon.json once dockerd itself accepts it; restart only where a reload does not read it."""
    wanted, new = daemon_file(config), f"{DAEMON}.checked"
    if host.get_fact(FileStates, paths=(DAEMON,)).get(DAEMON) == wanted.state:
        host.noop("the daemon is configured")
        return
    current = host.get_fact(Output, script=f"cat {DAEMON}")
    yield write([File(new, wanted.content)])
    # On a new host there is no dockerd yet that could look at it.
    check = f"! command -v dockerd >/dev/null || dockerd --validate --config-file={new}"
    yield _shell(f"if {check}; then mv -f {new} {DAEMON}; else rm -f {new}; exit 1; fi")
    verb = "restart" if engine.needs_restart(current, config) else "reload"
    yield _shell(f"! systemctl is-active --quiet docker.service || systemctl {verb} docker.service")


def daemon_file(config: Mapping[str, Any]) -> File:
    """daemon.json."""
    return File(DAEMON, engine.as_file(config))


def _shell(script: str) -> StringCommand:
    return StringCommand("sh", "-c", shlex.quote(script))

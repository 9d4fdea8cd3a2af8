"""Backups of the gateway and of the projects' jobs: what hosts need for them, and a timer that makes them.

`roles.backup.save` (ops/backup.py) makes one now; `roles.backup.restore` (ops/restore.py) takes one back.
"""

from __future__ import annotations

from pyinfra.api import deploy

from fleet import Member, Site
from roles.backup import config
from steps.files import absent, place
from steps.packages import packages
from steps.shell import run
from steps.units import units


@deploy("Backup")
def backup(site: Site, member: Member) -> None:
    """Have backups made every night, if the inventory says where they go."""
    if site.backup.repository is None:
        units(name="Make no backups", stopped=[config.TIMER])
        absent(name="Forget where backups went", paths=config.paths())
        return
    packages(name="Install restic", packages=config.packages(site))
    files = place(name="Tell restic where backups go", files=config.files(site, member))
    run(
        name="Forget the passwords of what is elsewhere now",
        commands=[f"{config.strangers(site, member)} -delete"],
        unless=f'[ -z "$({config.strangers(site, member)})" ]',
    )
    nightly = [config.TIMER] if config.kinds(site, member) else []
    units(
        name="Make backups every night",
        running=nightly,
        stopped=[] if nightly else [config.TIMER],
        restart_if=[files] if nightly else [],
    )


@deploy("Backup")
def tools(site: Site, member: Member) -> None:
    """What a backup made now or a restore needs on a host. No timer: the deploy starts that."""
    packages(name="Install restic", packages=config.packages(site))
    place(name="Tell restic where backups go", files=config.files(site, member))

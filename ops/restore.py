"""Put a backup in its place: pyinfra -y inventory/prod.py ops/restore.py [--data project=NAME]

Without a project: the gateway, on an empty host of its name, and then the whole deploy. It serves the same
certificate to the same logins, under WireGuard keys of its own; the studios go on as they are. With one: its
jobs, sound and voices, on its node; its studios stop meanwhile, and unfinished jobs go on.

    --data list=1        only say which snapshots there are
    --data snapshot=ID   that one instead of the latest
    --data overwrite=1   in place of what is there; what was there is kept beside it
    --data json=1        the answer as JSON
"""

# pyinfra types the first positional argument of every verb as `_sudo`; at run time they are ours.
# pyright: reportCallIssue=false

from pyinfra import host, local

from roles.backup import tools
from roles.backup.config import GATEWAY, which
from roles.backup.restore import gateway, jobs, listing, pick
from roles.lock import lock, unlock
from steps.barrier import everyone
from steps.options import flag, option

site, member = host.data.site, host.data.member
project = which(site, option("project"), one=True)
kind = project or GATEWAY
only_list, overwrite = flag("list"), flag("overwrite")
on_gateway = "gateway" in host.groups
here = member.host == site.project(project).node if project else on_gateway

if not only_list:
    lock(site, member, what=f"restore {kind}")
if here:
    tools(site, member)
if here and only_list:
    listing(name=f"List the snapshots of {kind}", kind=kind)
if here and not only_list:
    pick(name=f"Choose a snapshot of {kind}", kind=kind, wanted=option("snapshot"))
everyone(name="Wait for the choice")
if here and project and not only_list:
    jobs(name=f"Restore the jobs of {project}", site=site, project=project, overwrite=overwrite)
if here and not project and not only_list:
    gateway(name="Restore the gateway", site=site, overwrite=overwrite)
everyone(name="Wait for what was restored")

# The gateway has what it was; now it becomes what it runs.
if not project and not only_list:
    local.include("deploy.py")
if project and not only_list:
    unlock(site, member)

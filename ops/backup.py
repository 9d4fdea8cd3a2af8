"""Back up, now: pyinfra -y inventory/prod.py ops/backup.py [--data project=NAME|all] [--data json=1]

Without a project: the gateway, which is certificates and ACME account, logins, sessions, keys, versions. With
one: its jobs with their sound, its voices and its minutes used, while its studios go on speaking.
Where it goes is the inventory's `backup`; every night the hosts do the same by themselves.
"""

# pyinfra types the first positional argument of every verb as `_sudo`; at run time they are ours.
# pyright: reportCallIssue=false

from pyinfra import host

from roles.backup import tools
from roles.backup.config import kinds, wanted, which
from roles.backup.save import save, tell
from steps.barrier import everyone
from steps.options import option

site, member = host.data.site, host.data.member
project = which(site, option("project"))
# Of what this host has, what was asked for.
mine = wanted(kinds(site, member), project)

if mine:
    tools(site, member)
if mine:
    save(name="Back up", kinds=mine)
everyone(name="Wait for every backup")
tell(name="Say what was backed up", site=site.name)

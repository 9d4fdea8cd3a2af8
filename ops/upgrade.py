"""New driver, Docker, kernel: pyinfra -y inventory/prod.py ops/upgrade.py [--limit HOST] [--data what=driver]

Node by node: drained, upgraded, rebooted if need be, proved, undrained; the first failure stops it. Without
`what=driver,docker,kernel` all three. The gateway's turn comes where it is named: --limit gateway.
"""

# pyinfra types the first positional argument of every verb as `_sudo`; at run time they are ours.
# pyright: reportCallIssue=false

from pyinfra import host

from roles.lock import lock, unlock
from roles.preflight import preflight
from roles.upgrade import chosen, is_wanted, upgrade
from steps.barrier import everyone
from steps.options import option

site, member = host.data.site, host.data.member
what = chosen(option("what"))

preflight(site, member)
lock(site, member, what=f"upgrade {', '.join(what)}")
if is_wanted(member):
    upgrade(site, member, what)
everyone(name="Wait for every host")
unlock(site, member)

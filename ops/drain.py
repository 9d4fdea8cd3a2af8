"""A node out of service: pyinfra -y inventory/prod.py ops/drain.py --data host=gpu-1 [--data why="new PSU"]

Its studios save their jobs and stop; its projects show the waiting page, their jobs wait. It stays drained,
over reboots and deploys, until ops/undrain.py.
"""

# pyinfra types the first positional argument of every verb as `_sudo`; at run time they are ours.
# pyright: reportCallIssue=false

from pyinfra import host

from roles.drain import chosen, drain, within_limit
from roles.lock import lock, unlock
from steps.options import option

site, member = host.data.site, host.data.member
node = within_limit(site, chosen(site, option("host")))

lock(site, member, what=f"drain {node.host}")
if host.name == node.host:
    drain(site, node, option("why"))
unlock(site, member)

"""A node back in service: pyinfra -y inventory/prod.py ops/undrain.py --data host=gpu-1

Its studios are started, as the inventory has them today, until their engines are ready; then its projects
are asked over HTTPS.
"""

# pyinfra types the first positional argument of every verb as `_sudo`; at run time they are ours.
# pyright: reportCallIssue=false

from pyinfra import host

from roles.drain import chosen, undrain, within_limit
from roles.lock import lock, unlock
from roles.verify import serves
from steps.barrier import everyone
from steps.options import option

site, member = host.data.site, host.data.member
on_gateway = "gateway" in host.groups
node = within_limit(site, chosen(site, option("host")))

lock(site, member, what=f"undrain {node.host}")
if host.name == node.host:
    undrain(site, node)
everyone(name="Wait for the node's studios")
if on_gateway:
    serves(site, node)
unlock(site, member)

"""A project to another node, with its jobs: pyinfra -y inventory/prod.py ops/move.py --data project=debate

First change the project's node in the inventory; this brings its data there, and the world after it. Until
the routes have changed, any failure has the old node serve again. The old node keeps the data, renamed.
"""

# pyinfra types the first positional argument of every verb as `_sudo`; at run time they are ours.
# pyright: reportCallIssue=false

from pyinfra import host

from roles.lock import lock, unlock
from roles.move import bring, chosen, clear, find, lead, whole_site
from roles.verify import serves_project
from roles.versions import remember
from roles.weights import weights
from steps.barrier import everyone
from steps.options import option

site, member = host.data.site, host.data.member
on_gateway = "gateway" in host.groups
on_node = "gpu" in host.groups
whole_site()
project = chosen(site, option("project"), option("to"))
on_new = host.name == project.node

lock(site, member, what=f"move {project.name} to {project.node}")
if on_node:
    find(site, member, project)
if on_new:
    weights(site, member)
everyone(name="Wait for the decision")
if on_new:
    bring(site, member, project)
everyone(name="Wait for the new node")
if on_gateway:
    lead(site, member, project)
if on_gateway:
    serves_project(site, project)
everyone(name="Wait for the answer")
if on_node:
    clear(site, member, project)
everyone(name="Wait for the old node")
if on_gateway:
    remember(site, member)
unlock(site, member)

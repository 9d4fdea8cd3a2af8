"""Go back to an earlier version: pyinfra -y inventory/prod.py ops/rollback.py [--data project=NAME]

Without a project the whole site; `--data to=N` names the version, else it is the last that was another one.
Nothing is built or pulled; jobs go on in the studios of then. ops/status.py shows the versions. The next
deploy goes forward again.
"""

# pyinfra types the first positional argument of every verb as `_sudo`; at run time they are ours.
# pyright: reportCallIssue=false

from pyinfra import host

from roles.lock import lock, unlock
from roles.verify import verify
from roles.versions import go_back, remember
from steps.barrier import everyone
from steps.options import Mistake, option

site, member = host.data.site, host.data.member
on_gateway = "gateway" in host.groups
project, to = option("project"), option("to")
if to and not to.isdigit():
    raise Mistake(f"to={to}: give the number of a version (ops/status.py shows them).")

lock(site, member, what=f"rollback of {project or 'the site'}")
everyone(name="Wait for the lock")
go_back(site, member, project=project or None, number=int(to) if to else None)
everyone(name="Wait for every studio")
verify(site, member)
if on_gateway:
    remember(site, member)
unlock(site, member)

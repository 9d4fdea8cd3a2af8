"""Take the lab down: pyinfra -y @local lab/down.py [--data purge=1].

No process, mount, interface or firewall rule stays. Caches, keys, and the hosts' disks do; with
purge=1 the disks go too, so that the next start is from bare hosts.
"""

from pyinfra import host

from lab import lock, shutdown
from lab.once import once

lock.hold()

once(name="Lab: halt hosts and programs, remove network", is_done=shutdown.is_down, do=shutdown.down)

if host.data.get("purge"):
    once(name="Lab: remove the hosts' disks", is_done=shutdown.is_purged, do=shutdown.purge)

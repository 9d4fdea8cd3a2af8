"""How the site is: pyinfra inventory/prod.py ops/status.py [--data json=1]

Hosts, GPUs, studios, projects and their jobs, versions, certificate, the deploy lock. Changes nothing.
Ends with 0 where all is as it should be, and with 1 where something is not: a host that is down, a GPU or a
studio that is missing, a certificate that is not renewed, an alarm.
"""

# pyinfra types the first positional argument of every verb as `_sudo`; at run time they are ours.
# pyright: reportCallIssue=false

from pyinfra import host

from roles.status import status

status(host.data.site, host.data.member)

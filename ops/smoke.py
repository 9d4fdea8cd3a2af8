"""The site as the world finds it: pyinfra inventory/prod.py ops/smoke.py [--data json=1]

Asked from this machine, over HTTPS and by name: certificate, every project's readiness through the door, what
strangers get, the waiting page, ports that should not answer. Speaks nothing, changes nothing; `make smoke`
also speaks. Ends with 1 where something is wrong.
"""

# pyinfra types the first positional argument of every verb as `_sudo`; at run time they are ours.
# pyright: reportCallIssue=false

from pyinfra import host

from roles.smoke import smoke

smoke(host.data.site, host.data.member)

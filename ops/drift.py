"""What differs between the hosts and the inventory: pyinfra inventory/prod.py ops/drift.py [--data json=1]

Changes nothing. A row for each difference: its kind, where, what was found and wanted, what to do. Exit code
2 where there is one, 1 where a host could not be looked at, 0 where all is as declared.
"""

# pyinfra types the first positional argument of every verb as `_sudo`; at run time they are ours.
# pyright: reportCallIssue=false

from pyinfra import host

from roles.drift import drift

drift(host.data.site, host.data.member)

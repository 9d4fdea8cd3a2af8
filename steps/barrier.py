"""A line that no host passes before all have reached it."""

from __future__ import annotations

from pyinfra import host
from pyinfra.api import operation


@operation()
def everyone():
    """Do nothing, on every host, at the same place.

    pyinfra keeps the order of operations on each host, but not across hosts: operations of the gateway and of
    the nodes run side by side, whatever their lines, until one operation belongs to both.
    """
    host.noop("everyone is here")
    yield from ()

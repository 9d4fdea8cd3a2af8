"""Leaving a host and coming back to it, where pyinfra only forgets that it was there."""

from __future__ import annotations

from typing import Any


def hang_up(host: Any) -> None:
    """Close the host's connection; the next `host.connect()` makes a new one.

    pyinfra's `disconnect` leaves the SSH client open: what answers afterwards may be the old connection, and
    a host that goes down cuts it, which looks like trouble.
    """
    client = getattr(host.connector, "client", None)
    try:
        host.disconnect()
        if client is not None:
            client.close()
    except Exception:
        # A connection that is dead already cannot be closed politely.
        host.connected = False

"""The lab's little internet: everything a site fetches from elsewhere, on the machine's own bridge.

One file per service. Each keeps what it made below /var/lib/vibevoice-lab/internet, remade when
what it is made from changes, and says which Debian packages it NEEDS on the machine.
"""

from __future__ import annotations

from lab.internet import acme, apt, hub, mirror, storage, wheels
from lab.once import once
from steps.packages import packages


def internet() -> None:
    """Build what is missing and start what does not run; the lab's network and hosts must be up."""
    needed = sorted({*apt.NEEDS, *mirror.NEEDS, *acme.NEEDS, *storage.NEEDS})
    packages(name="Lab: programs of the little internet", packages=needed)
    once(name="Lab: package repositories", is_done=apt.settled, do=apt.ensure)
    once(name="Lab: Docker Hub", is_done=mirror.settled, do=mirror.ensure)
    once(name="Lab: Python packages", is_done=wheels.settled, do=wheels.ensure)
    once(name="Lab: model hub", is_done=hub.settled, do=hub.ensure)
    once(name="Lab: storage for backups", is_done=storage.settled, do=storage.ensure)
    once(name="Lab: Let's Encrypt", is_done=acme.settled, do=acme.ensure)
    once(name="Lab: forget certificates", is_done=acme.certificates_are_current, do=acme.forget_certificates)

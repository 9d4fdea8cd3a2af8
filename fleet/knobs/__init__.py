"""Every knob of a site, once: its type and unit, its default, and what turning it does.

An inventory overrides a knob under the same key, `"docker": {"mirrors": ["https://…"]}`.
`python -m fleet --knobs` prints these pages as a table.
"""

from fleet.knobs.hosts import Docker, Firewall, Nvidia, Operators, Ssh, Wireguard
from fleet.knobs.section import Section
from fleet.knobs.services import Acme, Backup, Door, Images, Registry, Traefik
from fleet.knobs.studios import Limits, Studio

__all__ = [
    "Acme",
    "Backup",
    "Docker",
    "Door",
    "Firewall",
    "Images",
    "Limits",
    "Nvidia",
    "Operators",
    "Registry",
    "Section",
    "Ssh",
    "Studio",
    "Traefik",
    "Wireguard",
]

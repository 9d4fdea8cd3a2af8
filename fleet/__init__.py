"""The site model: what an inventory says, checked and typed. Pure; knows nothing of pyinfra."""

from fleet.inventory import load, load_or_exit, site
from fleet.knobs import (
    Acme,
    Backup,
    Docker,
    Door,
    Firewall,
    Images,
    Limits,
    Nvidia,
    Registry,
    Ssh,
    Studio,
    Traefik,
    Wireguard,
)
from fleet.mistakes import WrongInventory
from fleet.models import Gateway, Issuer, Member, Model, Node, Project, SignOn, Site

__all__ = [
    "Acme",
    "Backup",
    "Docker",
    "Door",
    "Firewall",
    "Gateway",
    "Images",
    "Issuer",
    "Limits",
    "Member",
    "Model",
    "Node",
    "Nvidia",
    "Project",
    "Registry",
    "SignOn",
    "Site",
    "Ssh",
    "Studio",
    "Traefik",
    "Wireguard",
    "WrongInventory",
    "load",
    "load_or_exit",
    "site",
]

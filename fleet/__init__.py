"""The site model: what an inventory says, checked and typed. Pure; knows nothing of pyinfra."""

from fleet.inventory import load, load_or_exit, site
from fleet.knobs import Acme, Docker, Firewall, Images, Nvidia, Registry, Ssh, Studio, Traefik, Wireguard
from fleet.mistakes import WrongInventory
from fleet.models import Gateway, Member, Model, Node, Project, Site

__all__ = [
    "Acme",
    "Docker",
    "Firewall",
    "Gateway",
    "Images",
    "Member",
    "Model",
    "Node",
    "Nvidia",
    "Project",
    "Registry",
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

"""A third project for the lab's site, on a GPU that its last node gets for it."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from lab import topology
from tests.box.lab import Lab, Login, command

NAME = "demo"
_INVENTORY = '''"""The lab's site and one project more."""

from fleet import site
from lab.site import lab_site

_site = lab_site()
_site["projects"] += [{{"name": "{name}", "node": "{node}", "gpus": 1, "model": "tiny", "users": ["cy"]}}]
gateway, gpu = site(__file__, _site)
'''


@dataclass(frozen=True)
class Third:
    """The project: where, who, and the environment of runs that know of the new GPU and its password."""

    node: str
    login: Login
    inventory: Path
    env: dict[str, str] = field(repr=False)


def declare(lab: Lab, folder: Path) -> Third:
    """Write the inventory with the third project into ``folder``; nothing is changed yet."""
    node = topology.nodes()[-1].name
    password = secrets.token_urlsafe(15)
    inventory = folder / "lab.py"
    inventory.write_text(_INVENTORY.format(name=NAME, node=node))
    login = Login(NAME, f"https://{lab.domain}/vibevoice/{NAME}/", "cy", password)
    env = {"LAB_NODES": _one_gpu_more(), "VV_SECRET_USERS_CY": password}
    return Third(node, login, inventory, env)


def plug_in(third: Third) -> None:
    """Power the node down, plug a second card in, boot it."""
    command("halt", third.node, env=third.env)
    command("boot", third.node, env=third.env)


def pull_out(third: Third) -> None:
    """The same, backwards."""
    command("halt", third.node)
    command("boot", third.node)


def _one_gpu_more() -> str:
    *others, last = (os.environ.get("LAB_NODES") or topology.DEFAULT_NODES).split(",")
    name, release, gpus, *user = last.split(":")
    return ",".join([*others, ":".join([name, release, str(int(gpus) + 1), *user])])

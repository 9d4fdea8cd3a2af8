"""The host's own nftables table: default deny, replaced whole, taken back unless SSH still gets in."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import Any

from pyinfra import host, logger
from pyinfra.api import FactBase, FunctionCommand, deploy, operation

from fleet import Member, Site
from roles.firewall.rules import rules
from steps.connection import hang_up
from steps.files import File, place, render, write
from steps.packages import packages
from steps.units import units

RULES = "/etc/vibevoice/firewall.nft"
PROGRAM = "/usr/local/lib/vibevoice/firewall"
UNIT = "vibevoice-firewall.service"


@deploy("Firewall")
def firewall(site: Site, member: Member) -> None:
    """Let in what the site declares, and nothing else."""
    packages(name="Install nftables", packages=["nftables"])
    place(name="Install the loader", files=files())
    walls(name="Replace the rules", content=rules(site, member), rollback_s=site.firewall.rollback_s)
    units(name="Load the rules at boot", running=[UNIT])


def files() -> list[File]:
    """The loader and its unit."""
    return [
        File(PROGRAM, render("firewall/firewall.sh"), mode="755"),
        File(f"/etc/systemd/system/{UNIT}", render("firewall/vibevoice-firewall.service")),
    ]


@dataclass(frozen=True)
class Walls:
    """Hash of the rules on disk, and whether the kernel still has what was loaded from them."""

    digest: str
    intact: bool


class WallsFact(FactBase[Walls]):
    """What the host has now."""

    def command(self) -> str:
        return (
            f"sha256sum < {RULES} 2>/dev/null | cut -c 1-64; "
            "nft -s list table inet vibevoice 2>/dev/null | sha256sum "
            "| cmp -s - /run/vibevoice/firewall/loaded && echo intact || echo gone"
        )

    @staticmethod
    def default() -> Walls:
        return Walls("", False)

    def process(self, output: list[str]) -> Walls:
        return Walls(output[0] if len(output) > 1 else "", output[-1] == "intact")


@operation()
def walls(content: str, rollback_s: int):
    """Load rules that nft accepts; keep them once a new SSH connection got through them.

    The connection that brought them proves nothing: it is already established. A timer on the host brings
    back the rules before, also when this machine has lost its way to it.
    """
    now = host.get_fact(WallsFact)
    digest = hashlib.sha256(content.encode()).hexdigest()
    if now == Walls(digest, True):
        host.noop("the rules are loaded")
        return
    trial = f"{RULES}.trial"
    yield write([File(trial, content)])
    yield f"{PROGRAM} try {trial} {rollback_s}"
    yield FunctionCommand(reconnect, (), {"rollback_s": rollback_s})
    yield f"{PROGRAM} keep"


def reconnect(state: Any, host: Any, rollback_s: int) -> bool:
    """Replace the host's SSH connection by a new one; False, with the reason, where none comes in time."""
    started = time.monotonic()
    hang_up(host)
    # The SSH connector tries more than once: it may get in again just because the old rules are back.
    host.connect(reason="through the new firewall", show_errors=False)
    if host.connected and time.monotonic() - started < rollback_s:
        return True
    message = (
        f"The new rules let no SSH connection in; the old ones return {rollback_s} s after the attempt. "
        f"Check ssh.port of {host.name}, then run again."
    )
    host.log_styled(message, fg="red", log_func=logger.error)
    return False

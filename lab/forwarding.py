"""The lab's way past a firewall the machine already has.

Docker and ufw drop everything that is forwarded unless a rule of theirs allows it, and accepting
in a table of our own does not overrule them: the two rules must stand in theirs.
"""

from __future__ import annotations

import shutil
import subprocess

from lab import topology

# Docker leaves this chain to the machine's owner and evaluates it first.
_CHAINS = ("DOCKER-USER", "FORWARD")
_RULES = [[direction, topology.BRIDGE, "-j", "ACCEPT"] for direction in ("-i", "-o")]


def allowed() -> bool:
    """Whether the machine's own firewall lets the lab's packets pass."""
    chain = _blocking_chain()
    return chain is None or all(_iptables("-C", chain, *rule) for rule in _RULES)


def allow() -> bool:
    """Let the lab's packets pass where the machine drops by default; returns whether rules were added."""
    if allowed():
        return False
    chain = _blocking_chain()
    for rule in _RULES:
        if chain and not _iptables("-C", chain, *rule) and not _iptables("-I", chain, "1", *rule):
            raise RuntimeError(
                f"this machine's firewall drops what it forwards, and chain {chain} takes no rule"
            )
    return True


def forget() -> None:
    """Take the rules out of the machine's firewall again."""
    if not shutil.which("iptables"):
        return
    for chain in _CHAINS:
        for rule in _RULES:
            while _iptables("-D", chain, *rule):
                pass


def _blocking_chain() -> str | None:
    if not shutil.which("iptables"):
        return None
    forward = subprocess.run(["iptables", "-w", "-S", "FORWARD"], capture_output=True, text=True, check=False)
    if not forward.stdout.startswith("-P FORWARD DROP"):
        return None
    return next((chain for chain in _CHAINS if _iptables("-S", chain)), None)


def _iptables(*arguments: str) -> bool:
    return subprocess.run(["iptables", "-w", *arguments], capture_output=True, check=False).returncode == 0

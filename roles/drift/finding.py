"""What a hand has changed on a host, as one row of the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal[
    "image",
    "specification",
    "label",
    "device",
    "configuration file",
    "unit",
    "package hold",
    "driver",
    "firewall rule",
    "extra container",
    "extra listening port",
    "route",
    "certificate",
    "user",
    "sysctl",
]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Finding:
    """One difference between a host and what is declared.

    Args:
        kind, host, what: which sort of thing, where, its name: a path, a container, a unit.
        found, wanted: in words; never the content of a file, nor the value of a variable.
        remedy: what the operator does about it.
    """

    kind: Kind
    host: str
    what: str
    found: str
    wanted: str
    remedy: str


def deploy(host: str) -> str:
    """The remedy where a deploy sees the difference itself."""
    return f"deploy (--limit {host} will do)"

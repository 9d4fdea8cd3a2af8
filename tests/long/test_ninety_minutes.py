"""A 90-minute job through the gateway, with an event stream open from its beginning to its end."""

from __future__ import annotations

from tests.box.fixtures import Hosts, Logins
from tests.box.lab import REPORTS, Lab
from tests.box.long import speak

MINUTES = 90
SETTLED_S = 600


def test_ninety_minutes_are_spoken_whole_and_memory_stays_flat(
    lab: Lab, hosts: Hosts, logins: Logins
) -> None:
    long = speak(lab, hosts["gpu-2"], logins["debate"], MINUTES, SETTLED_S)
    REPORTS.mkdir(exist_ok=True)
    (REPORTS / "long.txt").write_text(long.told(SETTLED_S) + "\n")

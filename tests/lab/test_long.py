"""Ten minutes of speech; `make test-long` is the same with ninety."""

from __future__ import annotations

import pytest

from tests.box.fixtures import Hosts, Logins
from tests.box.lab import Lab
from tests.box.long import speak

MINUTES = 10
# Of speech: caches are warm, and every part of the program has been used.
SETTLED_S = 120


@pytest.mark.thorough
def test_ten_minutes_are_spoken_whole_and_memory_stays_flat(lab: Lab, hosts: Hosts, logins: Logins) -> None:
    speak(lab, hosts["gpu-2"], logins["debate"], MINUTES, SETTLED_S)

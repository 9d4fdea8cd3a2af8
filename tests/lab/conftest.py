"""Fixtures are shared by tests/lab and tests/faults."""

from tests.box.fixtures import hosts, lab, logins, speak, web

__all__ = ["hosts", "lab", "logins", "speak", "web"]

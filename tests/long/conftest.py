"""Fixtures are shared by tests/lab, tests/faults and tests/long; a failure shows the studios' logs."""

from tests.box.fixtures import hosts, jobs_of, lab, logins, speak, web
from tests.box.logs import pytest_runtest_makereport

__all__ = ["hosts", "jobs_of", "lab", "logins", "pytest_runtest_makereport", "speak", "web"]

"""Fixtures are shared by tests/lab, tests/faults and tests/long; a failure shows the studios' logs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.box.account import Undisturbed
from tests.box.fixtures import Logins, declared, hosts, jobs_of, lab, logins, speak, web
from tests.box.jobs import Jobs
from tests.box.lab import Lab
from tests.box.logs import pytest_runtest_makereport
from tests.box.people import Visitor
from tests.faults import table
from tests.faults.under_load import UnderLoad

__all__ = ["declared", "hosts", "jobs_of", "lab", "logins", "pytest_runtest_makereport", "speak", "web"]


@pytest.fixture(scope="session")
def site(lab: Lab, logins: Logins) -> Iterator[UnderLoad]:
    """The site, and what is needed to put load on it: a key for each project, and how its scripts sound."""
    keys, people = {}, {}
    for project, login in logins.items():
        person = people[project] = Visitor(lab)
        assert person.log_in(login.user, login.password).status_code == 303
        keys[project] = person.make_key(project, "load")
    first = next(iter(logins))
    with Jobs(lab, logins[first], keys[first]) as jobs:
        undisturbed = Undisturbed.heard(jobs)
    yield UnderLoad(lab, logins, keys, undisturbed)
    for project, person in people.items():
        person.revoke_key(keys[project])
        person.web.close()


def pytest_terminal_summary() -> None:
    """The table of what was measured in this run."""
    table.show()

"""Fixtures are shared by tests/lab, tests/faults and tests/long; a failure shows the studios' logs."""

from pathlib import Path

import pytest

from tests.box.fixtures import declared, hosts, jobs_of, lab, logins, speak, web
from tests.box.lab import REPORTS
from tests.box.logs import pytest_runtest_makereport

__all__ = ["declared", "hosts", "jobs_of", "lab", "logins", "pytest_runtest_makereport", "speak", "web"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--screenshots", default=str(REPORTS), help="folder for pictures of the page (make screenshots)"
    )


@pytest.fixture(scope="session")
def screenshots(request: pytest.FixtureRequest) -> Path:
    """Where pictures of the page are put."""
    folder = Path(str(request.config.getoption("--screenshots")))
    folder.mkdir(parents=True, exist_ok=True)
    return folder

"""Smoke tests: a deployed site from outside, whatever its inventory."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

import fleet
from fleet import outside
from fleet.models import Project, Site
from fleet.secrets import Wanted


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--inventory", default="inventory/lab.py", help="the site to test")


def _site(config: pytest.Config) -> Site:
    # Smoke runs where no SSH key, host keys or weights locks are: it needs only the passwords.
    return fleet.load(Path(str(config.getoption("--inventory"))), prepared=False)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test a project: a report that says which one is ill."""
    if "project" in metafunc.fixturenames:
        projects = _site(metafunc.config).projects
        metafunc.parametrize("project", projects, ids=[project.name for project in projects])


@pytest.fixture(scope="session")
def site(request: pytest.FixtureRequest) -> Site:
    return _site(request.config)


@pytest.fixture
def web(site: Site) -> Iterator[requests.Session]:
    with outside.session(site) as session:
        yield session


@pytest.fixture
def login(site: Site, project: Project) -> tuple[str, str]:
    try:
        return site.login(project.name)
    except KeyError:
        user = project.users[0] if project.users else "NAME"
        name = Wanted("users", user, project.name).variable
        pytest.fail(f"no password for anybody of {project.name}: set {name}, or write {site.secrets_file}")

"""What tests/lab and tests/faults start from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import requests
import testinfra
from testinfra.host import Host

from tests.box import web as outside
from tests.box.deploy import as_declared
from tests.box.jobs import Jobs
from tests.box.lab import Lab, Login, describe

Hosts = dict[str, Host]
Logins = dict[str, Login]
Speak = Callable[..., requests.Response]
JobsOf = Callable[[str, str], Jobs]

__all__ = [
    "Hosts",
    "JobsOf",
    "Logins",
    "Speak",
    "declared",
    "hosts",
    "jobs_of",
    "lab",
    "logins",
    "speak",
    "web",
]


@pytest.fixture(scope="session")
def lab() -> Lab:
    return describe()


@pytest.fixture(scope="session")
def logins(lab: Lab) -> Logins:
    """`{project: its login}`."""
    return lab.logins


@pytest.fixture(scope="module")
def declared() -> Iterator[None]:
    """The site is as the inventory has it, whatever came before, and is left like that."""
    as_declared()
    yield
    as_declared()


@pytest.fixture
def web(lab: Lab) -> Iterator[requests.Session]:
    """A visitor who trusts the lab's certificate authority."""
    with outside.session(lab.domain, lab.gateway_ip, lab.ca_root) as session:
        yield session


@pytest.fixture(scope="session")
def hosts(lab: Lab) -> Hosts:
    """`{name: host}`, over plain ssh and as root: other means than those that the deploy used."""
    # No shared connections: a test may reboot the host behind them.
    return {
        name: testinfra.get_host(f"ssh://{name}", ssh_config=str(lab.ssh_config), sudo=True, controlpersist=0)
        for name in lab.hosts
    }


@pytest.fixture
def speak(web: requests.Session) -> Speak:
    """Post a script to a project: ``speak(login, "Speaker 1: …", auth=other login or None)``."""

    def post(login: Login, text: str, **request: object) -> requests.Response:
        body = {"model": "vibevoice", "voice": "default", "input": text, "response_format": "wav"}
        options = {"auth": login.auth, "timeout": 120, **request}
        return web.post(f"{login.url}v1/audio/speech", json=body, **options)  # type: ignore[arg-type]

    return post


@pytest.fixture
def jobs_of(lab: Lab) -> Iterator[JobsOf]:
    """Somebody's jobs of a project: ``jobs_of("podcast", "li")``."""
    with ExitStack() as stack:
        yield lambda project, user: stack.enter_context(Jobs(lab, lab.login(project, user)))

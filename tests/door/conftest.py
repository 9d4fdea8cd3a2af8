"""What most tests of the pages need: a door on a folder of its own, and a browser in front of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from visiting import Browser, Site, site


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Site]:
    """A door with the usual users, projects and sign-on provider."""
    made = Site(tmp_path, site())
    yield made
    made.desk.close()


@pytest.fixture
def browser(house: Site) -> Iterator[Browser]:
    with Browser(house.app) as opened:
        yield opened


@pytest.fixture
def ana(browser: Browser) -> Browser:
    """The browser, with Ana logged in."""
    assert browser.log_in().status_code == 303
    return browser

"""What most tests of the pages need: a door on a folder of its own, and a browser in front of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from authority import Authority
from judging import Asked
from provider import OpenIdProvider
from visiting import Browser, Site, site

PEOPLE = {
    "ana": {"email": "ana@example.com", "email_verified": True, "groups": ["podcast-team", "all"]},
    "li": {"email": "li@example.com", "email_verified": True, "groups": "podcast-team"},
    "eva": {"email": "eva@example.com", "email_verified": True, "groups": ["all"]},
    "kim": {"email": "kim@example.com", "realm_access": {"roles": ["podcast-team"]}},
    "unnamed": {"groups": ["podcast-team"]},
}


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


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def _provider(authority: Authority) -> Iterator[OpenIdProvider]:
    with OpenIdProvider(PEOPLE, tls=authority.server()) as serving:
        yield serving


@pytest.fixture
def provider(_provider: OpenIdProvider) -> OpenIdProvider:
    """The OpenID provider "corp", over TLS, honest and with a clean record."""
    _provider.crooked = _provider.claimed_issuer = _provider.userinfo_of = None
    _provider.post = _provider.away = False
    _provider.signer.more.clear()
    _provider.asked.clear()
    return _provider


@pytest.fixture
def asked(provider: OpenIdProvider, authority: Authority) -> Asked:
    """A judge of tokens that the provider issues as "ci"."""
    return Asked(provider, authority)

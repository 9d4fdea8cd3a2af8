"""Signing on as a person does: to the provider, through its page, and back."""

import ssl
from urllib.parse import urlencode, urlsplit

import httpx
from authority import Authority
from provider import OpenIdProvider
from visiting import DOMAIN, Browser, Site, heading, provider_settings, site

START = "/vibevoice/auth/corp"
STUDIO = "/vibevoice/podcast/?a=1"


def settled(provider: OpenIdProvider, authority: Authority, **changes) -> dict:
    """The site with this provider; `changes` are to the provider's settings."""
    return site(sign_on=[provider_settings(provider.issuer, **{"ca": str(authority.ca), **changes})])


def go_there(browser: Browser, onward: str = STUDIO) -> str:
    """The provider's address that the door sends one to."""
    answer = browser.get(f"{START}?{urlencode({'next': onward})}")
    assert answer.status_code == 303, heading(answer)
    return answer.headers["location"]


def agree(way: str, authority: Authority, **form: str) -> str:
    """Fill in the provider's page as a person does; where it sends one back to, as a path."""
    with httpx.Client(verify=ssl.create_default_context(cafile=authority.ca)) as person:
        assert "Authorize Client" in person.get(way).text
        back = person.post(way, data=form)
    assert back.status_code == 302, back.text
    where = urlsplit(back.headers["location"])
    assert (where.scheme, where.netloc, where.path) == ("https", DOMAIN, f"{START}/callback")
    return f"{where.path}?{where.query}"


def sign_on(
    browser: Browser, authority: Authority, name: str = "ana", onward: str = STUDIO
) -> httpx.Response:
    return browser.get(agree(go_there(browser, onward), authority, sub=name))


def refused(answer: httpx.Response, house: Site, status: int, reason: str) -> None:
    """No session, a page that says what to do, and a line in the audit log."""
    assert answer.status_code == status, heading(answer)
    assert "__Host-vv_session" not in str(answer.headers)
    assert "/vibevoice/auth/corp?next=" in answer.text
    line = house.audited("sso_failed")[-1]
    assert (line["via"], line["address"]) == ("sso", "192.0.2.7")
    assert reason in line["reason"]
    assert house.audited("sso_login") == []

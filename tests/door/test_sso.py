"""Signing on with a real OpenID provider, honest and crooked."""

import re
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import provider as provider_program
import pytest
from authority import Authority
from door.sso import FLOW_COOKIE
from provider import OpenIdProvider
from signing_on import START, STUDIO, go_there, refused, settled, sign_on
from visiting import DOMAIN, Browser, Site, heading, project


@pytest.fixture
def house(tmp_path: Path, provider: OpenIdProvider, authority: Authority) -> Iterator[Site]:
    """A door whose provider "corp" is at home."""
    made = Site(tmp_path, settled(provider, authority))
    yield made
    made.desk.close()


# --- as it should be ---


def test_whoever_is_in_a_group_of_a_project_gets_to_where_they_wanted(
    house: Site, browser: Browser, authority: Authority
) -> None:
    answer = sign_on(browser, authority)
    assert (answer.status_code, answer.headers["location"]) == (303, STUDIO)
    cookies = answer.headers.get_list("set-cookie")
    assert any(
        re.fullmatch(r"__Host-vv_session=[\w.-]+; Max-Age=43200; Path=/; Secure; HttpOnly; SameSite=Lax", one)
        for one in cookies
    )
    assert f"{FLOW_COOKIE}=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Lax" in cookies
    page = browser.get("/vibevoice/").text
    assert ">podcast<" in page and ">debate<" not in page
    assert 'title="Logged in as corp:ana@example.com"' in page
    (line,) = house.audited("sso_login")
    assert (line["user"], line["via"], line["address"]) == ("corp:ana@example.com", "sso", "192.0.2.7")


def test_the_way_there_proves_who_started_and_asks_for_what_is_configured(
    browser: Browser, provider: OpenIdProvider
) -> None:
    way = urlsplit(go_there(browser))
    asked = {key: values[0] for key, values in parse_qs(way.query).items()}
    assert f"{way.scheme}://{way.netloc}" == provider.issuer
    assert {"state", "nonce", "code_challenge"} <= asked.keys()
    assert len(asked["state"]) >= 43 <= len(asked["nonce"])
    assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
    assert (asked["client_id"], asked["scope"]) == ("door", "openid profile email")
    assert asked["redirect_uri"] == f"https://{DOMAIN}{START}/callback"


def test_the_cookie_of_a_flow_is_short_lived_and_for_nobody_elses_eyes(browser: Browser) -> None:
    go_there(browser)
    (cookie,) = [
        cookie for cookie in browser.get(START).headers.get_list("set-cookie") if FLOW_COOKIE in cookie
    ]
    assert cookie.endswith("; Max-Age=600; Path=/; Secure; HttpOnly; SameSite=Lax")


def test_no_two_flows_are_alike(browser: Browser) -> None:
    first, second = (parse_qs(urlsplit(go_there(browser)).query) for _ in range(2))
    for name in ("state", "nonce", "code_challenge"):
        assert first[name] != second[name]


def test_a_sign_on_ends_the_session_before_it(house: Site, browser: Browser, authority: Authority) -> None:
    browser.log_in()
    kept = browser.cookies["__Host-vv_session"]
    sign_on(browser, authority)
    browser.cookies.set("__Host-vv_session", kept, domain=DOMAIN)
    assert browser.get("/vibevoice/").status_code == 303


def test_one_group_may_come_as_a_word(browser: Browser, authority: Authority) -> None:
    assert sign_on(browser, authority, "li").headers["location"] == STUDIO


def test_groups_may_stand_inside_of_a_claim(
    house: Site, browser: Browser, provider: OpenIdProvider, authority: Authority
) -> None:
    house.configure(settled(provider, authority, group_claim="realm_access.roles"))
    assert sign_on(browser, authority, "kim").headers["location"] == STUDIO


def test_groups_that_the_token_lacks_are_asked_for(
    browser: Browser, provider: OpenIdProvider, authority: Authority
) -> None:
    provider.crooked = "no-groups"
    assert sign_on(browser, authority).headers["location"] == STUDIO
    assert "/userinfo" in provider.asked


def test_a_token_that_says_all_is_enough(
    browser: Browser, provider: OpenIdProvider, authority: Authority
) -> None:
    sign_on(browser, authority)
    assert "/userinfo" not in provider.asked


def test_a_project_may_be_open_to_everybody_of_a_provider(
    house: Site, browser: Browser, provider: OpenIdProvider, authority: Authority
) -> None:
    house.configure({**settled(provider, authority), "projects": [project("podcast", [], ["corp:*"])]})
    assert sign_on(browser, authority, "eva").headers["location"] == STUDIO


def test_a_provider_that_wants_the_secret_in_the_form_gets_it_there(
    browser: Browser, provider: OpenIdProvider, authority: Authority
) -> None:
    provider.post = True
    assert sign_on(browser, authority).headers["location"] == STUDIO


def test_the_providers_documents_are_asked_for_once(
    browser: Browser, provider: OpenIdProvider, authority: Authority
) -> None:
    for name in ("ana", "li"):
        sign_on(browser, authority, name)
    assert provider.asked.count("/.well-known/openid-configuration") == provider.asked.count("/jwks") == 1


@pytest.mark.parametrize(
    "onward", ["https://evil.example.com/", "//evil.example.com/", "/\\evil.example.com", ""]
)
def test_a_sign_on_leads_away_from_the_site_never(
    browser: Browser, authority: Authority, onward: str
) -> None:
    assert sign_on(browser, authority, onward=onward).headers["location"] == "/vibevoice/"


# --- tokens that are not as they should be ---

REASONS = {
    "nonce": "nonce",
    "no-nonce": "nonce",
    "audience": "aud",
    "azp": "azp",
    "other-azp": "azp",
    "expired": "expired",
    "no-exp": "exp",
    "future": "issued in the future",
    "issuer": "iss",
    "none": "algorithm not allowed",
    "hs256": "algorithm not allowed",
    "forged": "bad signature",
    "key": "unknown key",
    "embedded": "bad signature",
    "at-hash": "at_hash",
    "type": "another type of token",
    "unverified": "email not verified",
    "missing": "not a token",
}


@pytest.mark.parametrize("crooked", REASONS)
def test_a_crooked_providers_token_opens_nothing(
    house: Site, browser: Browser, provider: OpenIdProvider, authority: Authority, crooked: str
) -> None:
    provider.crooked = crooked
    answer = sign_on(browser, authority)
    refused(answer, house, 400, REASONS[crooked])
    assert "could not be verified" in answer.text
    assert browser.get("/vibevoice/").status_code == 303


def test_whoever_no_project_is_open_to_is_told_so(
    house: Site, browser: Browser, authority: Authority
) -> None:
    answer = sign_on(browser, authority, "eva")
    refused(answer, house, 403, "no project")
    assert heading(answer) == "No project is open to you"
    assert "You are known to Company login" in answer.text
    assert house.audited("sso_failed")[-1]["user"] == "corp:eva@example.com"
    assert house.desk.person("corp:eva@example.com") is None


def test_an_unknown_group_opens_nothing(
    house: Site, browser: Browser, provider: OpenIdProvider, authority: Authority
) -> None:
    provider.crooked = "group"
    refused(sign_on(browser, authority), house, 403, "no project")


def test_a_lost_group_ends_what_it_opened(
    house: Site, browser: Browser, provider: OpenIdProvider, authority: Authority
) -> None:
    sign_on(browser, authority)
    provider.crooked = "group"
    with Browser(house.app) as later:
        assert sign_on(later, authority).status_code == 403
    assert ">podcast<" not in browser.get("/vibevoice/").text


def test_another_persons_userinfo_is_not_believed(
    house: Site, browser: Browser, provider: OpenIdProvider, authority: Authority
) -> None:
    provider.crooked, provider.userinfo_of = "no-groups", "eva"
    refused(sign_on(browser, authority), house, 400, "userinfo of somebody else")


def test_whoever_has_no_name_there_has_none_here(house: Site, browser: Browser, authority: Authority) -> None:
    refused(sign_on(browser, authority, "unnamed"), house, 400, "no usable claim email")


def test_a_users_name_of_the_inventory_is_not_taken_over(
    house: Site, browser: Browser, provider: OpenIdProvider, authority: Authority
) -> None:
    """The provider's "ana" is not the inventory's, who may enter debate too."""
    house.configure(settled(provider, authority, user_claim="sub"))
    sign_on(browser, authority)
    page = browser.get("/vibevoice/").text
    assert 'title="Logged in as corp:ana"' in page and ">debate<" not in page


def test_the_provider_runs_as_a_program_too(authority: Authority) -> None:
    certificate, key = authority.server()
    command = [sys.executable, provider_program.__file__, "--port", "0", "--crooked", "nonce"]
    command += ["--tls-cert", certificate, "--tls-key", key, "--client-id", "door", "--client-secret", "s"]
    command += ["--redirect-uri", "https://studio.lab.test/", "--users", '{"ana": {}}']
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as program:
        assert program.stderr
        try:
            # After the warnings of what the package is made of.
            ready = next(line for line in program.stderr if line.startswith("serving "))
            issuer = ready.removeprefix("serving ").strip()
            url = f"{issuer}/.well-known/openid-configuration"
            trusted = ssl.create_default_context(cafile=authority.ca)
            assert httpx.get(url, verify=trusted).json()["issuer"] == issuer
        finally:
            program.terminate()

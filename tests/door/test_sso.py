"""Signing on with a real OpenID provider, honest and crooked."""

import re
import ssl
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx
import pytest
from authority import Authority
from door.oidc import Flow
from door.sso import FLOW_COOKIE
from provider import OpenIdProvider
from visiting import DOMAIN, Browser, Site, heading, project, provider_settings, site

START = "/vibevoice/auth/corp"
STUDIO = "/vibevoice/podcast/?a=1"


@pytest.fixture
def house(tmp_path: Path, provider: OpenIdProvider, authority: Authority) -> Iterator[Site]:
    """A door whose provider "corp" is at home."""
    made = Site(tmp_path, settled(provider, authority))
    yield made
    made.desk.close()


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


# --- answers that are not as they should be ---


def test_the_provider_may_say_no(house: Site, browser: Browser, authority: Authority) -> None:
    answer = browser.get(agree(go_there(browser), authority, action="deny"))
    refused(answer, house, 400, "provider: access_denied")
    assert "did not let you in, or you cancelled" in answer.text


def test_the_providers_words_stay_out_of_the_page(
    house: Site, browser: Browser, authority: Authority
) -> None:
    state = parse_qs(urlsplit(go_there(browser)).query)["state"][0]
    query = urlencode({"state": state, "error": "server_error", "error_description": "call 555-0100 now"})
    answer = browser.get(f"{START}/callback?{query}")
    refused(answer, house, 400, "provider: server_error")
    assert "555-0100" not in answer.text


def test_an_answer_is_good_once(house: Site, browser: Browser, authority: Authority) -> None:
    go_there(browser)
    way = go_there(browser)
    flow, back = browser.cookies[FLOW_COOKIE], agree(way, authority, sub="ana")
    assert browser.get(back).headers["location"] == STUDIO
    browser.cookies.clear()
    # The cookie is gone with the first use; whoever kept it gets no further.
    answer = browser.get(back)
    assert (answer.status_code, house.audited("sso_failed")[-1]["reason"]) == (400, "corp: no flow")
    browser.cookies.set(FLOW_COOKIE, flow, domain=DOMAIN)
    answer = browser.get(back)
    assert (answer.status_code, house.audited("sso_failed")[-1]["reason"]) == (400, "corp: flow used twice")
    assert "__Host-vv_session" not in str(answer.headers)


def test_an_answer_is_good_once_even_before_the_other_door(
    house: Site, browser: Browser, authority: Authority, provider: OpenIdProvider
) -> None:
    flow, back = browser.cookies, agree(go_there(browser), authority, sub="ana")
    kept = flow[FLOW_COOKIE]
    browser.get(back)
    other = Site.beside(house)
    with Browser(other.app) as thief:
        thief.cookies.set(FLOW_COOKIE, kept, domain=DOMAIN)
        answer = thief.get(back)
    other.desk.close()
    assert answer.status_code == 400 and "__Host-vv_session" not in str(answer.headers)
    assert house.audited("sso_failed")[-1]["reason"] == "corp: token: invalid_grant"


def test_either_door_finishes_what_the_other_began(
    house: Site, browser: Browser, authority: Authority
) -> None:
    back = agree(go_there(browser), authority, sub="ana")
    other = Site.beside(house)
    with Browser(other.app) as moved:
        moved.cookies.update(browser.cookies)
        assert moved.get(back).headers["location"] == STUDIO
    other.desk.close()
    assert browser.get("/vibevoice/").status_code == 303


def test_another_browser_cannot_finish(house: Site, browser: Browser, authority: Authority) -> None:
    back = agree(go_there(browser), authority, sub="ana")
    with Browser(house.app) as victim:
        refused(victim.get(back), house, 400, "no flow")
    with Browser(house.app) as victim:
        go_there(victim)
        refused(victim.get(back), house, 400, "state of another flow")


@pytest.mark.parametrize("changes", [{"state": ""}, {"state": "x" * 43}, {"state": None}, {"state": "é"}])
def test_another_state_is_refused(house: Site, browser: Browser, authority: Authority, changes: dict) -> None:
    back = urlsplit(agree(go_there(browser), authority, sub="ana"))
    query = {**dict(parse_qsl(back.query)), **changes}
    answer = browser.get(
        f"{back.path}?{urlencode({key: value for key, value in query.items() if value is not None})}"
    )
    refused(answer, house, 400, "state of another flow")


@pytest.mark.parametrize("code", ["", "made up", "x" * 5000])
def test_another_code_is_refused(house: Site, browser: Browser, code: str) -> None:
    state = parse_qs(urlsplit(go_there(browser)).query)["state"][0]
    answer = browser.get(f"{START}/callback?{urlencode({'state': state, 'code': code})}")
    refused(answer, house, 400, "token: invalid_grant" if code == "made up" else "no code")


@pytest.mark.parametrize("iss", ["https://elsewhere.example.com", "", "null"])
def test_an_answer_of_another_issuer_is_refused(
    house: Site, browser: Browser, authority: Authority, iss: str
) -> None:
    back = agree(go_there(browser), authority, sub="ana")
    refused(browser.get(f"{back}&{urlencode({'iss': iss})}"), house, 400, "answer of another issuer")


def test_an_answer_that_names_its_issuer_rightly_is_taken(
    browser: Browser, provider: OpenIdProvider, authority: Authority
) -> None:
    back = agree(go_there(browser), authority, sub="ana")
    assert browser.get(f"{back}&{urlencode({'iss': provider.issuer})}").headers["location"] == STUDIO


FLOW = Flow("corp", "state", "nonce", "verifier", "/vibevoice/")


def forged(house: Site, kind: str) -> str:
    """A flow's cookie that is none."""
    signer = house.desk.signer("sso-flow")
    if kind == "of another purpose":
        return str(house.desk.signer("session").dumps(asdict(FLOW)))
    if kind == "of another provider":
        return str(signer.dumps({**asdict(FLOW), "provider": "other"}))
    if kind == "of another shape":
        return str(signer.dumps({**asdict(FLOW), "more": 1}))
    if kind == "of another kind":
        return str(signer.dumps("flow"))
    if kind == "too old":
        old = signer.make_signer(signer.salt)
        old.get_timestamp = lambda: int(time.time()) - 601  # type: ignore[method-assign]
        return old.sign(signer.dump_payload(asdict(FLOW))).decode()
    return str(signer.dumps(asdict(FLOW)))[:-1]


@pytest.mark.parametrize(
    "kind",
    ["of another purpose", "of another provider", "of another shape", "of another kind", "too old", "cut"],
)
def test_a_forged_flow_is_refused(house: Site, browser: Browser, kind: str) -> None:
    browser.cookies.set(FLOW_COOKIE, forged(house, kind), domain=DOMAIN)
    answer = browser.get(f"{START}/callback?state=state&code=code")
    refused(answer, house, 400, "another flow" if kind == "of another provider" else "no flow")


# --- providers that are not as they should be ---


def test_a_provider_that_is_not_there_is_said_so(house: Site, browser: Browser) -> None:
    house.configure(site())
    answer = browser.get(f"{START}?next=/vibevoice/podcast/")
    refused(answer, house, 502, "unreachable")
    assert "cannot be reached at the moment" in answer.text
    assert 'href="/vibevoice/auth/corp?next=%2Fvibevoice%2Fpodcast%2F"' in answer.text


def test_a_provider_that_goes_away_on_the_way_is_said_so(
    house: Site, browser: Browser, provider: OpenIdProvider, authority: Authority
) -> None:
    back = agree(go_there(browser), authority, sub="ana")
    provider.away = True
    refused(browser.get(back), house, 502, "unreachable")


def test_a_provider_that_is_away_is_asked_every_ten_seconds_at_most(
    browser: Browser, provider: OpenIdProvider
) -> None:
    provider.away = True
    for _ in range(5):
        assert browser.get(START).status_code == 502
    assert len(provider.asked) == 1


def test_a_provider_with_a_strangers_certificate_is_not_believed(
    house: Site, browser: Browser, provider: OpenIdProvider, authority: Authority, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path, "strangers")
    for ca in (str(stranger.ca), None, str(tmp_path / "missing.pem")):
        house.configure(settled(provider, authority, ca=ca))
        refused(browser.get(START), house, 502, "unreachable")
    assert provider.asked == []


def test_a_provider_that_speaks_for_another_is_not_believed(
    house: Site, browser: Browser, provider: OpenIdProvider
) -> None:
    for issuer in ("https://elsewhere.example.com", provider.issuer + "/", provider.issuer.upper()):
        provider.claimed_issuer = issuer
        with Browser(house.app) as another:
            refused(another.get(START), house, 502, "unreachable")


def test_a_wrong_secret_of_ours_is_said_to_be_nobodys_fault(
    house: Site, browser: Browser, provider: OpenIdProvider, authority: Authority
) -> None:
    house.configure(settled(provider, authority, client_secret="wrong"))
    answer = sign_on(browser, authority)
    refused(answer, house, 400, "token: invalid_client")
    assert "reported an error" in answer.text


@pytest.mark.parametrize("path", ["nobody", "nobody/callback", "CORP", "%2e%2e", "corp%2f"])
def test_a_provider_that_is_none_is_not_there(browser: Browser, path: str) -> None:
    answer = browser.get(f"/vibevoice/auth/{path}")
    assert answer.status_code in (404, 503)
    assert "location" not in answer.headers


def test_a_provider_that_left_the_configuration_signs_nobody_on(
    house: Site, browser: Browser, authority: Authority
) -> None:
    back = agree(go_there(browser), authority, sub="ana")
    house.configure(site(sign_on=[], projects=[project("podcast", ["ana"], [])]))
    assert browser.get(back).status_code == 404


def test_the_audit_log_has_no_secrets(house: Site, browser: Browser, authority: Authority) -> None:
    way = go_there(browser)
    back = agree(way, authority, sub="ana")
    browser.get(back)
    with Browser(house.app) as another:
        another.get(back)
    everything = "".join(path.read_text() for path in (house.data / "audit").iterdir())
    secrets = [value for _, value in parse_qsl(urlsplit(back).query)] + parse_qs(urlsplit(way).query)["nonce"]
    assert not [secret for secret in [*secrets, "provider's secret"] if secret in everything]

"""A provider's answer is good for who asked, once; providers that are away or others are said so."""

import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
from authority import Authority
from door.oidc import Flow
from door.sso import FLOW_COOKIE
from provider import OpenIdProvider
from signing_on import START, STUDIO, agree, go_there, refused, settled, sign_on
from visiting import DOMAIN, Browser, Site, project, site


@pytest.fixture
def house(tmp_path: Path, provider: OpenIdProvider, authority: Authority) -> Iterator[Site]:
    """A door whose provider "corp" is at home."""
    made = Site(tmp_path, settled(provider, authority))
    yield made
    made.desk.close()


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

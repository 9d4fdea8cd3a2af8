"""Logging in and out by the page."""

import re

import pytest
from visiting import ANA, LI, Browser, Site, heading, token

WRONG = "Name or password is wrong"


def cookies_of(answer) -> dict[str, str]:
    """Set-Cookie headers by the cookie's name."""
    return {header.partition("=")[0]: header for header in answer.headers.get_list("set-cookie")}


def test_whoever_is_not_logged_in_gets_there_by_way_of_the_login(browser: Browser) -> None:
    sent = browser.get("/vibevoice/door/keys")
    assert (sent.status_code, sent.headers["location"]) == (
        303,
        "/vibevoice/login?next=%2Fvibevoice%2Fdoor%2Fkeys",
    )
    back = browser.log_in(path=sent.headers["location"])
    assert (back.status_code, back.headers["location"]) == (303, "/vibevoice/door/keys")
    assert browser.get("/vibevoice/door/keys").status_code == 200


def test_a_login_gives_a_session_and_remembers_the_device(browser: Browser, house: Site) -> None:
    cookies = cookies_of(browser.log_in())
    for name, lifetime in {"__Host-vv_session": 168 * 3600, "__Host-vv_device": 180 * 86400}.items():
        assert re.fullmatch(
            rf"{name}=[\w.-]+; Max-Age={lifetime}; Path=/; Secure; HttpOnly; SameSite=Lax", cookies[name]
        )
    (line,) = house.audited("login")
    assert (line["user"], line["address"], line["via"]) == ("ana", "192.0.2.7", "password")


def test_whoever_is_logged_in_needs_no_login_page(ana: Browser) -> None:
    assert ana.get("/vibevoice/login?next=/vibevoice/podcast/").headers["location"] == "/vibevoice/podcast/"


def test_a_wrong_password_and_an_unknown_name_look_the_same(browser: Browser) -> None:
    wrong = browser.log_in("ana", "not the password at all")
    unknown = browser.log_in("eva", "not the password at all")
    assert wrong.status_code == unknown.status_code == 401
    assert WRONG in wrong.text

    def same(page) -> str:
        return re.sub(r'name="form" value="[^"]+"', "", page.text).replace("eva", "ana")

    assert same(wrong) == same(unknown)
    assert wrong.headers == unknown.headers
    assert "__Host-vv_session" not in cookies_of(wrong)


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("ANA", ANA),
        ("ana", ANA.upper()),
        ("ana", ANA + " "),
        ("ana", LI),
        ("new", ANA),
        ("ana\0", ANA),
        ("a" * 101, ANA),
        ("ana", "a" * 1001),
        ("corp:ana", ANA),
        ("ana' OR '1'='1", ANA),
    ],
)
def test_nobody_else_gets_in(browser: Browser, name: str, password: str) -> None:
    answer = browser.log_in(name, password)
    assert answer.status_code == 401
    assert WRONG in answer.text
    assert browser.get("/vibevoice/").status_code == 303


@pytest.mark.parametrize(("name", "password"), [("", ANA), ("ana", ""), ("  ", ANA)])
def test_what_is_missing_is_asked_for(browser: Browser, name: str, password: str) -> None:
    answer = browser.log_in(name, password)
    assert answer.status_code == 400
    assert "Fill in both" in answer.text


def test_the_name_stays_in_the_form_and_the_password_does_not(browser: Browser) -> None:
    page = browser.log_in("ana", "not the password at all").text
    assert 'value="ana"' in page
    assert "not the password at all" not in page


def test_too_many_failures_are_slowed_and_told_how_long(browser: Browser, house: Site) -> None:
    answers = [browser.log_in("li", "not the password at all") for _ in range(11)]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429]
    wait = int(answers[-1].headers["retry-after"])
    assert 1 <= wait <= 6
    assert f"Wait {wait} seconds" in answers[-1].text
    assert house.audited("login_slowed")[-1]["address"] == "192.0.2.7"


def test_another_address_is_not_held_up(browser: Browser, house: Site) -> None:
    for _ in range(11):
        browser.log_in("li", "not the password at all")
    with Browser(house.app, "198.51.100.1") as elsewhere:
        assert elsewhere.log_in().status_code == 303


def test_logout_asks_first(ana: Browser) -> None:
    page = ana.get("/vibevoice/logout")
    assert (page.status_code, heading(page)) == (200, "Log out")
    assert ana.get("/vibevoice/").status_code == 200


def test_logout_ends_the_session_also_for_whoever_kept_its_cookie(ana: Browser, house: Site) -> None:
    kept = ana.cookies["__Host-vv_session"]
    answer = ana.send("/vibevoice/logout", {"form": token(ana.get("/vibevoice/logout"))})
    assert answer.headers["location"] == "/vibevoice/login"
    assert cookies_of(answer)["__Host-vv_session"].startswith("__Host-vv_session=; Max-Age=0;")
    assert ana.get("/vibevoice/").status_code == 303
    ana.cookies.set("__Host-vv_session", kept, domain="studio.lab.test")
    assert ana.get("/vibevoice/").status_code == 303
    assert [line["user"] for line in house.audited("logout")] == ["ana"]


def test_the_portal_logs_out_too(ana: Browser) -> None:
    ana.send("/vibevoice/logout", {"form": token(ana.get("/vibevoice/"))})
    assert ana.get("/vibevoice/").status_code == 303


def test_there_is_nothing_to_log_out_of_for_a_stranger(browser: Browser) -> None:
    assert browser.get("/vibevoice/logout").headers["location"] == "/vibevoice/login"


def test_a_new_login_ends_the_session_before_it(ana: Browser) -> None:
    kept = ana.cookies["__Host-vv_session"]
    form = {"form": token(ana.get("/vibevoice/")), "name": "li", "password": LI}
    assert ana.send("/vibevoice/login", form).status_code == 303
    assert ">li<" in ana.get("/vibevoice/").text
    ana.cookies.set("__Host-vv_session", kept, domain="studio.lab.test")
    assert ana.get("/vibevoice/").status_code == 303


def test_a_session_that_was_planted_before_the_login_is_not_taken_over(browser: Browser) -> None:
    browser.cookies.set("__Host-vv_session", "planted", domain="studio.lab.test", path="/")
    browser.log_in()
    assert browser.cookies["__Host-vv_session"] != "planted"


def test_a_form_loaded_before_the_login_is_good_in_no_other_browser(browser: Browser, house: Site) -> None:
    form = {"form": token(browser.get("/vibevoice/login")), "name": "ana", "password": ANA}
    with Browser(house.app) as other:
        assert other.send("/vibevoice/login", form).status_code == 403
        other.get("/vibevoice/login")
        assert other.send("/vibevoice/login", form).status_code == 403
    assert browser.send("/vibevoice/login", form).status_code == 303


def test_every_provider_has_its_link_that_keeps_where_to_go(browser: Browser) -> None:
    page = browser.get("/vibevoice/login?next=/vibevoice/podcast/?a=1").text
    assert 'href="/vibevoice/auth/corp?next=/vibevoice/podcast/%3Fa%3D1"' in page
    assert "Continue with Company login" in page

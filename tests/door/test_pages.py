"""What holds for every page: headers, methods, languages, whose forms are taken, no markup."""

import re
from pathlib import Path

import door
import pytest
from door.pages import HEADERS, forbidden_page
from visiting import Browser, Site, heading, project, provider_settings, site, token

INVITE = "/vibevoice/door/invite/{token}"
PAGES = [
    "/vibevoice",
    "/vibevoice/",
    "/vibevoice/login",
    "/vibevoice/logout",
    "/vibevoice/auth/corp",
    "/vibevoice/auth/nobody",
    "/vibevoice/auth/corp/callback",
    "/vibevoice/door/keys",
    "/vibevoice/door/keys/revoke",
    INVITE,
    "/vibevoice/door/invite/wrong",
    "/vibevoice/door/style.css",
    "/vibevoice/door/waiting",
    "/vibevoice/door/nothing",
    "/vibevoice/podcast/",
    "/elsewhere",
]
# Pages that hold a form, or say who somebody is.
PERSONAL = [page for page in PAGES[:10] if page != "/vibevoice"]
MARKUP = '"><script>alert(1)</script>'


def filled_in(path: str, house: Site) -> str:
    return path.format(token=house.desk.invite("new"))


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("known", [True, False], ids=["logged in", "stranger"])
def test_every_answer_has_the_headers(
    house: Site, browser: Browser, path: str, method: str, known: bool
) -> None:
    if known:
        browser.log_in()
    headers = browser.request(method, filled_in(path, house)).headers
    expected = dict(HEADERS)
    if path.startswith("/vibevoice/door/invite/"):
        expected["Referrer-Policy"] = "strict-origin"
    if path.endswith("style.css"):
        expected["Cache-Control"] = headers["cache-control"]
    assert {name: headers.get(name) for name in expected} == expected


def test_the_policy_lets_nothing_in_but_our_own_style() -> None:
    policy = HEADERS["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'self';")
    assert "script-src" not in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy


def test_no_page_needs_what_the_policy_forbids() -> None:
    for template in (Path(door.__file__).parent / "templates").iterdir():
        text = template.read_text()
        assert not re.search(r"<script|<iframe|\son[a-z]+=|\sstyle=|javascript:|@import|\|\s*safe", text), (
            template
        )
        # Nothing from elsewhere.
        assert set(re.findall(r"https?://[^'\s]+", text)) <= {"http://www.w3.org/2000/svg"}, template


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("path", [*PERSONAL, "/vibevoice/door/waiting", "/vibevoice/door/style.css"])
def test_other_methods_are_refused_and_told_which_are_not(
    ana: Browser, house: Site, path: str, method: str
) -> None:
    answer = ana.request(method, filled_in(path, house))
    assert answer.status_code == 405
    assert "GET" in answer.headers["allow"]


@pytest.mark.parametrize("path", ["/vibevoice/", "/vibevoice/auth/corp", "/vibevoice/door/waiting"])
def test_a_page_without_a_form_takes_none(ana: Browser, path: str) -> None:
    assert ana.send(path, {"form": token(ana.get("/vibevoice/"))}).status_code == 405


@pytest.mark.parametrize(
    "destination", ["empty", "iframe", "frame", "embed", "object", "image", "script", "style"]
)
@pytest.mark.parametrize("path", PERSONAL)
def test_a_page_with_power_opens_in_no_script_and_no_frame(
    house: Site, ana: Browser, path: str, destination: str
) -> None:
    for method in ("GET", "POST"):
        answer = ana.request(method, filled_in(path, house), headers={"sec-fetch-dest": destination})
        assert answer.status_code == 403
        assert 'name="form"' not in answer.text and ">ana<" not in answer.text


@pytest.mark.parametrize(
    "path", ["/vibevoice/door/waiting?project=podcast", "/vibevoice/podcast/", "/vibevoice/x"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_page_that_scripts_may_fetch_holds_nothing_of_a_person(
    ana: Browser, path: str, method: str
) -> None:
    answer = ana.request(method, path, headers={"sec-fetch-dest": "empty"})
    assert 'name="form"' not in answer.text and ">ana<" not in answer.text
    assert "set-cookie" not in answer.headers


def test_what_fails_shows_a_page_and_nothing_of_the_fault(house: Site, ana: Browser) -> None:
    # The folder of the audit log has become a file: nothing can be written into it.
    folder = house.data / "audit"
    folder.rename(house.data / "audit.away")
    folder.write_text("")
    answer = ana.fill("/vibevoice/door/keys", {"name": "night", "project": "podcast", "days": "1"})
    assert answer.status_code == 503
    assert heading(answer) == "The site cannot write at the moment"
    assert "vv_" not in re.sub("vv_lang", "", answer.text) and "audit" not in answer.text


# --- languages ---


def test_the_browser_chooses_the_language(browser: Browser) -> None:
    page = browser.get("/vibevoice/login", headers={"accept-language": "zh-CN,zh;q=0.9"})
    assert '<html lang="zh-Hans">' in page.text
    assert heading(page) == "登录"


def test_the_switch_wins_and_is_remembered(browser: Browser) -> None:
    page = browser.get("/vibevoice/login?lang=zh")
    assert heading(page) == "登录"
    chosen = next(value for value in page.headers.get_list("set-cookie") if value.startswith("vv_lang"))
    assert chosen == "vv_lang=zh; Max-Age=31536000; Path=/vibevoice; Secure; SameSite=Lax"
    assert heading(browser.get("/vibevoice/login")) == "登录"
    assert heading(browser.get("/vibevoice/login?lang=en")) == "Log in"
    assert heading(browser.get("/vibevoice/login")) == "Log in"


@pytest.mark.parametrize("asked", ["xx", "", "../../etc/passwd", MARKUP])
def test_a_language_that_nobody_speaks_changes_nothing(browser: Browser, asked: str) -> None:
    page = browser.get("/vibevoice/login", params={"lang": asked})
    assert heading(page) == "Log in"
    assert "vv_lang" not in str(page.headers.get_list("set-cookie"))


def test_the_switch_keeps_the_rest_of_the_address(browser: Browser) -> None:
    page = browser.get("/vibevoice/login?next=/vibevoice/podcast/&lang=en")
    assert 'href="?next=%2Fvibevoice%2Fpodcast%2F&amp;lang=zh"' in page.text


# --- markup ---


def test_markup_in_what_people_type_stays_text(ana: Browser) -> None:
    ana.fill("/vibevoice/door/keys", {"name": MARKUP, "project": "podcast", "days": "30"})
    pages = [
        ana.get("/vibevoice/door/keys"),
        ana.fill("/vibevoice/door/keys", {"name": MARKUP, "project": MARKUP, "days": MARKUP}),
        ana.fill("/vibevoice/door/keys", {"name": MARKUP, "project": "podcast", "days": "30"}),
        ana.get("/vibevoice/door/keys", params={"note": MARKUP, MARKUP: MARKUP}),
        ana.get("/vibevoice/door/waiting", params={"project": MARKUP}),
        ana.get(f"/vibevoice/{MARKUP}/"),
        ana.get(f"/vibevoice/auth/{MARKUP}"),
        ana.get(f"/vibevoice/door/invite/{MARKUP}"),
        ana.get("/vibevoice/auth/corp/callback", params={"error": MARKUP, "error_description": MARKUP}),
    ]
    for page in pages:
        assert "<script" not in page.text
    assert "&lt;script&gt;" in pages[0].text


def test_markup_in_a_login_stays_text(browser: Browser) -> None:
    page = browser.log_in(MARKUP, MARKUP, f"/vibevoice/login?next={MARKUP}")
    assert page.status_code == 401
    assert "<script" not in page.text
    assert "&lt;script&gt;" in page.text


def test_markup_in_the_configuration_stays_text(house: Site, browser: Browser) -> None:
    house.configure(site(sign_on=[provider_settings(label=MARKUP)]))
    page = browser.get("/vibevoice/login")
    assert "<script" not in page.text and "&lt;script&gt;" in page.text
    assert "<script" not in browser.get("/vibevoice/auth/corp").text


# --- what the check shows ---


def test_whoever_may_not_enter_is_told_what_to_do(house: Site) -> None:
    page = forbidden_page(house.desk, "zh-CN", "podcast").decode()
    assert '<html lang="zh-Hans">' in page
    assert "该项目没有向您开放" in page and "podcast" in page and "/vibevoice/logout" in page


def test_a_project_that_is_none_is_not_echoed(house: Site) -> None:
    page = forbidden_page(house.desk, "en", MARKUP).decode()
    assert "script" not in page


def test_the_style_is_served_and_named_by_its_content(browser: Browser) -> None:
    address = re.search(
        r'href="(/vibevoice/door/style\.css\?v=[0-9a-f]{8})"', browser.get("/vibevoice/login").text
    )
    assert address
    answer = browser.get(address[1], headers={"sec-fetch-dest": "style"})
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=86400"


def test_a_project_lost_while_a_page_is_open_is_gone_from_the_next(house: Site, ana: Browser) -> None:
    assert ">podcast<" in ana.get("/vibevoice/").text
    house.configure(site(projects=[project("podcast", ["li"], []), project("debate", ["ana"], [])]))
    assert ">podcast<" not in ana.get("/vibevoice/").text

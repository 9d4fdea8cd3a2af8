"""After a login one is on this site, whatever the address that led there said."""

import string

import httpx
import pytest
from door.next import PORTAL, login_for, safe_next
from hypothesis import given
from hypothesis import strategies as st
from visiting import Browser

GOOD = {
    "/vibevoice/podcast/": "/vibevoice/podcast/",
    "/vibevoice/podcast/?view=live&seed=1": "/vibevoice/podcast/?view=live&seed=1",
    "/vibevoice/door/keys": "/vibevoice/door/keys",
    "/vibevoice/podcast/a%20b": "/vibevoice/podcast/a%20b",
    "/vibevoice/podcast/a b": "/vibevoice/podcast/a%20b",
    "/vibevoice/播客/": "/vibevoice/%E6%92%AD%E5%AE%A2/",
    "/vibevoice/podcast/?to=https://example.com/": "/vibevoice/podcast/?to=https://example.com/",
    '/vibevoice/podcast/?q="><script>': "/vibevoice/podcast/?q=%22%3E%3Cscript%3E",
}
BAD = [
    None,
    "",
    " ",
    "/",
    "//",
    "/vibevoice",
    "vibevoice/podcast/",
    "podcast",
    "https://evil.example.com/",
    "https:/vibevoice/",
    "https:evil.example.com",
    "https:///evil.example.com/vibevoice/",
    "HTTPS://evil.example.com/vibevoice/",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "//evil.example.com",
    "//evil.example.com/vibevoice/",
    "///evil.example.com/vibevoice/",
    "/\\evil.example.com",
    "\\\\evil.example.com",
    "\\/evil.example.com",
    "/\\/evil.example.com/vibevoice/",
    "/vibevoice/\\evil.example.com",
    "/vibevoice\\evil.example.com",
    "/vibevoice/..//evil.example.com",
    "/vibevoice/../../evil",
    "/vibevoice/%2e%2e/admin",
    "/vibevoice/%252e%252e/admin",
    "/vibevoice/.%2e//evil.example.com",
    "/vibevoice/%2e%2e%2f%2fevil.example.com",
    "/vibevoice/%5c%5cevil.example.com",
    "/vibevoice//evil.example.com",
    "/vibevoice/%2f%2fevil.example.com",
    "/vibevoice/%25252525252e",
    "/%2fevil.example.com/vibevoice/",
    "/%76ibevoice/podcast/",
    "/vibevoice/podcast/\r\nSet-Cookie: a=b",
    "/vibevoice/podcast/%0d%0aSet-Cookie:%20a=b",
    "/vibevoice/podcast/\x00",
    "/vibevoice/podcast/\t",
    "\t//evil.example.com",
    "/\t/evil.example.com",
    " /vibevoice/podcast/",
    "/vibevoice/podcast/\u2028",
    "/vibevoice/podcast/#//evil.example.com",
    "/vibevoice.evil.example.com/",
    "/vibevoice@evil.example.com/",
    "@evil.example.com/vibevoice/",
    "/VIBEVOICE/podcast/",
    "/check/podcast",
    "/health",
    "/vibevoice/login",
    "/vibevoice/login?next=/vibevoice/login",
    "/vibevoice/Login",
    "/vibevoice/%6cogin",
    "/vibevoice/logout",
    "/vibevoice/auth/corp",
    "/vibevoice/auth/corp/callback?code=1&state=2",
    "/vibevoice/door/invite/abc",
    "/vibevoice/podcast/" + "a" * 2000,
]


@pytest.mark.parametrize(("value", "onward"), GOOD.items())
def test_a_page_of_this_site_is_gone_to(value: str, onward: str) -> None:
    assert safe_next(value) == onward


@pytest.mark.parametrize("value", BAD)
def test_everything_else_leads_to_the_portal(value: str | None) -> None:
    assert safe_next(value) == PORTAL


@given(st.text(alphabet=string.printable + "\\/%.@:#?\u2028é", max_size=60))
def test_wherever_it_leads_it_is_a_path_of_this_site(value: str) -> None:
    for onward in (safe_next(value), safe_next(PORTAL + value)):
        assert onward.startswith(PORTAL)
        assert onward.isascii()
        assert not set(onward) & set(' \\\r\n\t"<>#')
        assert "//" not in onward.partition("?")[0]


@pytest.mark.parametrize("value", BAD[1:])
def test_no_login_leads_away_from_the_site(browser: Browser, value: str) -> None:
    page = browser.get("/vibevoice/login", params={"next": value})
    assert 'href="/vibevoice/auth/corp"' in page.text


def test_the_login_page_comes_back_to_where_one_wanted_to_go(browser: Browser) -> None:
    address = login_for("/vibevoice/podcast/?a=1&b=2")
    assert address == "/vibevoice/login?next=%2Fvibevoice%2Fpodcast%2F%3Fa%3D1%26b%3D2"
    assert browser.log_in(path=address).headers["location"] == "/vibevoice/podcast/?a=1&b=2"


@pytest.mark.parametrize("value", ["https://evil.example.com/", "//evil.example.com", "/\\evil.example.com"])
def test_a_login_with_a_foreign_address_ends_at_the_portal(browser: Browser, value: str) -> None:
    path = f"/vibevoice/login?{httpx.QueryParams({'next': value})}"
    assert browser.log_in(path=path).headers["location"] == PORTAL

"""The page of keys."""

import html
import re
from datetime import UTC, datetime, timedelta

import pytest
from visiting import LI, Browser, Site, heading, project, site, token

KEYS = "/vibevoice/door/keys"
RIGHT = {"name": "night build", "project": "podcast", "days": "30"}


def made(page) -> str:
    """The key that a page shows."""
    found = re.search(r'<input id="key"[^>]* readonly value="([^"]+)"', page.text)
    assert found, heading(page)
    return found[1]


def rows(browser: Browser) -> list[list[str]]:
    """The table of keys, as text."""
    page = browser.get(KEYS).text
    body = page.partition("<tbody>")[2].partition("</tbody>")[0]
    cells = [
        re.findall(r"<(?:th|td)[^>]*>(.*?)</(?:th|td)>", row, re.DOTALL) for row in body.split("</tr>")[:-1]
    ]
    return [[" ".join(html.unescape(re.sub(r"<[^>]+>", "", cell)).split()) for cell in row] for row in cells]


def test_a_key_is_shown_once(house: Site, ana: Browser) -> None:
    page = ana.fill(KEYS, RIGHT)
    key = made(page)
    assert re.fullmatch(r"vv_[A-Za-z0-9]{8}_[A-Za-z0-9_-]{43}", key)
    assert page.headers["cache-control"] == "no-store"
    assert key not in ana.get(KEYS).text
    stored, person, _ = house.desk.find_key(key)
    assert (stored.project, person.name) == ("podcast", "ana")


def test_the_page_tells_how_to_use_it(ana: Browser) -> None:
    page = ana.fill(KEYS, RIGHT)
    key, text = made(page), html.unescape(page.text)
    assert "curl https://studio.lab.test/vibevoice/podcast/v1/audio/speech" in text
    assert f'-H "Authorization: Bearer {key}"' in text
    assert 'base_url="https://studio.lab.test/vibevoice/podcast/v1"' in text
    assert f'api_key="{key}"' in text
    # The switch would load the page anew, without the key.
    assert 'href="?' not in text


def test_the_list_has_what_one_needs_to_know(ana: Browser) -> None:
    key = made(ana.fill(KEYS, RIGHT))
    today = datetime.now(UTC)
    assert rows(ana) == [
        [
            f"night build {key[:11]}…",
            "podcast",
            f"{today:%Y-%m-%d}",
            f"{today + timedelta(days=30):%Y-%m-%d}",
            "never",
            "Revoke",
        ]
    ]


def test_only_ones_own_projects_are_offered(house: Site, browser: Browser) -> None:
    browser.log_in("li", LI)
    assert re.findall(r'<option value="(\w+)"', browser.get(KEYS).text) == ["podcast"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": ""}, "Give the key a name"),
        ({"name": "   "}, "Give the key a name"),
        ({"name": "n" * 61}, "Give the key a name"),
        ({"name": "bell\x07"}, "Give the key a name"),
        ({"project": ""}, "Choose one of the projects"),
        ({"project": "nothing"}, "Choose one of the projects"),
        ({"project": "Podcast"}, "Choose one of the projects"),
        ({"project": "../podcast"}, "Choose one of the projects"),
        ({"days": ""}, "from 1 to 365"),
        ({"days": "0"}, "from 1 to 365"),
        ({"days": "-1"}, "from 1 to 365"),
        ({"days": "366"}, "from 1 to 365"),
        ({"days": "1.5"}, "from 1 to 365"),
        ({"days": "1e3"}, "from 1 to 365"),
        ({"days": "nan"}, "from 1 to 365"),
        ({"days": "²"}, "from 1 to 365"),
        ({"days": "٣"}, "from 1 to 365"),
        ({"days": "9" * 4000}, "from 1 to 365"),
    ],
)
def test_what_is_wrong_with_a_key_is_told_and_none_is_made(
    house: Site, ana: Browser, changes: dict[str, str], words: str
) -> None:
    page = ana.fill(KEYS, {**RIGHT, **changes})
    assert page.status_code == 400
    assert words in page.text
    assert rows(ana) == [] and house.audited("key_created") == []


def test_nobody_makes_a_key_for_a_project_of_others(house: Site, browser: Browser) -> None:
    browser.log_in("li", LI)
    assert "Choose one of the projects" in browser.fill(KEYS, {**RIGHT, "project": "debate"}).text


def test_what_was_typed_is_still_there_when_it_was_refused(ana: Browser) -> None:
    page = ana.fill(KEYS, {**RIGHT, "days": "0"}).text
    assert 'value="night build"' in page and '<option value="podcast" selected>' in page


def test_a_revoked_key_is_good_no_more(house: Site, ana: Browser) -> None:
    key = made(ana.fill(KEYS, RIGHT))
    answer = ana.send(f"{KEYS}/revoke", {"form": token(ana.get(KEYS)), "key": key.split("_")[1]})
    assert answer.headers["location"] == f"{KEYS}?note=revoked"
    assert "The key is revoked" in ana.get(answer.headers["location"]).text
    assert rows(ana) == []
    (line,) = house.audited("key_revoked")
    assert (line["user"], line["key"]) == ("ana", key.split("_")[1])


@pytest.mark.parametrize("key", ["", "nothing1", "vv_", "' OR 1=1 --"])
def test_a_key_that_is_not_there_cannot_be_revoked(house: Site, ana: Browser, key: str) -> None:
    answer = ana.send(f"{KEYS}/revoke", {"form": token(ana.get(KEYS)), "key": key})
    assert answer.headers["location"] == f"{KEYS}?note=gone"
    assert house.audited("key_revoked") == []


def test_nobody_revokes_anothers_key(house: Site, ana: Browser) -> None:
    key = made(ana.fill(KEYS, RIGHT))
    with Browser(house.app) as other:
        other.log_in("li", LI)
        form = {"form": token(other.get(KEYS)), "key": key.split("_")[1]}
        assert other.send(f"{KEYS}/revoke", form).headers["location"] == f"{KEYS}?note=gone"
        assert rows(other) == []
    assert len(rows(ana)) == 1


def test_the_audit_log_knows_the_key_and_not_its_secret(house: Site, ana: Browser) -> None:
    key = made(ana.fill(KEYS, RIGHT))
    (line,) = house.audited("key_created")
    assert (line["user"], line["project"], line["key"], line["address"]) == (
        "ana",
        "podcast",
        key.split("_")[1],
        "192.0.2.7",
    )
    everything = "".join(path.read_text() for path in (house.data / "audit").iterdir())
    assert key.split("_", 2)[2] not in everything


def test_whoever_may_open_nothing_is_told_so(house: Site, ana: Browser) -> None:
    house.configure(site(projects=[project("podcast", ["li"], [])]))
    page = ana.get(KEYS).text
    assert "No project is open to you" in page and "<select" not in page


def test_a_session_that_ended_meanwhile_leads_back_to_the_keys(house: Site, ana: Browser) -> None:
    form = {"form": token(ana.get(KEYS)), "key": "whatever"}
    house.desk.end("ana")
    sent = ana.send(f"{KEYS}/revoke", form)
    assert sent.headers["location"].startswith("/vibevoice/login?next=")
    back = ana.log_in(path=sent.headers["location"]).headers["location"]
    assert ana.get(back).headers["location"] == KEYS

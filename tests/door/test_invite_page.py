"""Invitations: whoever has the link sets the password, once."""

import pytest
from visiting import USERS, Browser, Site, heading, site, token

NEW = "seven green bicycles"
GONE = "This invitation is no longer good"


@pytest.fixture
def link(house: Site) -> str:
    return f"/vibevoice/door/invite/{house.desk.invite('new')}"


def test_an_invitation_sets_the_password_and_logs_in(house: Site, browser: Browser, link: str) -> None:
    answer = browser.fill(link, {"password": NEW, "again": NEW})
    assert (answer.status_code, answer.headers["location"]) == (303, "/vibevoice/")
    assert ">new<" in browser.get("/vibevoice/").text
    with Browser(house.app) as other:
        assert other.log_in("new", NEW).status_code == 303


def test_an_invitation_is_good_once(house: Site, browser: Browser, link: str) -> None:
    page = browser.get(link)
    browser.send(link, {"form": token(page), "password": NEW, "again": NEW})
    with Browser(house.app) as other:
        assert (other.get(link).status_code, heading(other.get(link))) == (410, GONE)
        form = {
            "form": token(other.get("/vibevoice/login")),
            "password": "of an attacker",
            "again": "of an attacker",
        }
        assert other.send(link, form).status_code == 410
        assert other.log_in("new", NEW).status_code == 303


def test_of_two_who_have_the_form_open_one_is_taken(house: Site, browser: Browser, link: str) -> None:
    with Browser(house.app) as other:
        theirs = {"form": token(other.get(link)), "password": "of an attacker", "again": "of an attacker"}
        assert browser.fill(link, {"password": NEW, "again": NEW}).status_code == 303
        assert other.send(link, theirs).status_code == 410
    assert len(house.audited("password_changed")) == 1


def test_looking_uses_nothing_up(browser: Browser, link: str) -> None:
    for _ in range(3):
        assert browser.get(link).status_code == 200
        assert browser.request("HEAD", link).status_code == 200
    assert browser.fill(link, {"password": NEW, "again": NEW}).status_code == 303


@pytest.mark.parametrize(
    ("password", "again", "words"),
    [
        ("eleven char", "eleven char", "fewer than 12 characters"),
        ("", "", "fewer than 12 characters"),
        (NEW, NEW + "!", "not the same"),
        (NEW, "", "not the same"),
        ("a" * 1001, "a" * 1001, "more than 1000 characters"),
        ("aaaaaaaaaaaaa", "aaaaaaaaaaaaa", "the same few all over"),
        ("seven\x00green bicycles", "seven\x00green bicycles", "invisible characters"),
    ],
)
def test_what_is_wrong_with_a_password_is_told(
    house: Site, browser: Browser, link: str, password: str, again: str, words: str
) -> None:
    answer = browser.fill(link, {"password": password, "again": again})
    assert answer.status_code == 400
    assert words in answer.text
    assert not password or password not in answer.text
    assert house.audited("password_changed") == []
    assert browser.fill(link, {"password": NEW, "again": NEW}).status_code == 303


def test_a_name_is_no_password(house: Site, browser: Browser) -> None:
    house.configure(site(users={**USERS, "bartholomew.smith": None}))
    link = f"/vibevoice/door/invite/{house.desk.invite('bartholomew.smith')}"
    answer = browser.fill(link, {"password": "Bartholomew.Smith1", "again": "Bartholomew.Smith1"})
    assert "hardly more than your name" in answer.text


@pytest.mark.parametrize("wrong", ["x", "WyJuZXciLCIwIl0.aaaaaa.bbbbbb", "%00", "new", "a" * 5000])
def test_what_is_no_invitation_is_told_like_a_used_one(browser: Browser, wrong: str) -> None:
    answer = browser.get(f"/vibevoice/door/invite/{wrong}")
    assert (answer.status_code, heading(answer)) == (410, GONE)


def test_another_signature_of_ours_is_no_invitation(house: Site, browser: Browser) -> None:
    for salt in ("session", "form", "device", "sso-flow"):
        forged = house.desk.signer(salt).dumps(["new", ""])
        assert browser.get(f"/vibevoice/door/invite/{forged}").status_code == 410


def test_whoever_left_the_site_is_not_invited_any_more(house: Site, browser: Browser, link: str) -> None:
    house.configure(site(users={name: hash for name, hash in USERS.items() if name != "new"}))
    assert browser.get(link).status_code == 410


def test_the_address_goes_to_no_other_page_and_no_log(house: Site, browser: Browser, link: str) -> None:
    answer = browser.fill(link, {"password": NEW, "again": NEW})
    assert (
        answer.headers["referrer-policy"] == browser.get(link).headers["referrer-policy"] == "strict-origin"
    )
    everything = "".join(path.read_text() for path in (house.data / "audit").iterdir())
    assert link.rsplit("/", 1)[1] not in everything and NEW not in everything
    assert [line["user"] for line in house.audited("invite_used")] == ["new"]


def test_an_invitation_opened_by_somebody_else_logs_them_out(house: Site, ana: Browser, link: str) -> None:
    kept = ana.cookies["__Host-vv_session"]
    ana.fill(link, {"password": NEW, "again": NEW})
    assert ">new<" in ana.get("/vibevoice/").text
    ana.cookies.set("__Host-vv_session", kept, domain="studio.lab.test")
    assert ana.get("/vibevoice/").status_code == 303

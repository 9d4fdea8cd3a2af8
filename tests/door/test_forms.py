"""A form does something only if one of our own pages sent it, made for whoever sends it."""

import secrets
from typing import Any

import pytest
from visiting import DOMAIN, ORIGIN, Browser, Site, heading, token

INVITE = "/vibevoice/door/invite/{token}"


def filled_in(path: str, house: Site) -> str:
    return path.format(token=house.desk.invite("new"))


def forms(house: Site, browser: Browser) -> dict[str, dict[str, str]]:
    """Every form there is, filled in rightly but for its token."""
    return {
        "/vibevoice/logout": {"sure": "yes"},
        "/vibevoice/door/keys": {"name": "night", "project": "podcast", "days": "30"},
        "/vibevoice/door/keys/revoke": {"key": house.desk.keys_of(house.desk.person("ana"))[0].id},  # type: ignore[arg-type]
        filled_in(INVITE, house): {"password": "seven green bicycles", "again": "seven green bicycles"},
    }


def unchanged(house: Site, browser: Browser) -> None:
    """Nobody was logged out, no key was made or revoked, no password set."""
    assert heading(browser.get("/vibevoice/")) == "Your studios"
    person = house.desk.person("ana")
    assert person and [key.name for key in house.desk.keys_of(person)] == ["first"]
    assert house.audited("password_changed") == house.audited("logout") == []


@pytest.fixture
def with_key(house: Site, ana: Browser) -> Browser:
    person, podcast = house.desk.person("ana"), house.desk.config.project("podcast")
    assert person and podcast
    house.desk.create_key(person, podcast, "first", 30)
    return ana


TOKENS = {
    "no token": lambda right, house: None,
    "an empty one": lambda right, house: "",
    "one made up": lambda right, house: secrets.token_urlsafe(64),
    "a changed one": lambda right, house: ("b" if right[0] == "a" else "a") + right[1:],
    "another session's": lambda right, house: house.desk.forms.issue("session:00"),
    "one for no session": lambda right, house: house.desk.forms.issue("form:"),
    "one for the name": lambda right, house: house.desk.forms.issue("ana"),
    "another purpose's": lambda right, house: house.desk.signer("invite").dumps("ana"),
}


@pytest.mark.parametrize("kind", TOKENS)
@pytest.mark.parametrize("number", range(4))
def test_a_form_without_its_token_does_nothing(
    house: Site, with_key: Browser, kind: str, number: int
) -> None:
    path, fields = list(forms(house, with_key).items())[number]
    wrong = TOKENS[kind](token(with_key.get("/vibevoice/door/keys")), house)
    answer = with_key.send(path, fields | ({} if wrong is None else {"form": wrong}))
    assert (answer.status_code, heading(answer)) == (403, "This form is too old")
    unchanged(house, with_key)


@pytest.mark.parametrize("number", range(4))
def test_another_persons_token_does_nothing(house: Site, with_key: Browser, number: int) -> None:
    path, fields = list(forms(house, with_key).items())[number]
    with Browser(house.app) as other:
        other.log_in("li", "stapler of paper clips")
        theirs = token(other.get("/vibevoice/door/keys"))
    assert with_key.send(path, {"form": theirs, **fields}).status_code == 403
    unchanged(house, with_key)


SENDERS: dict[str, dict[str, str]] = {
    "another site": {"origin": "https://evil.example.com"},
    "a page above ours": {"origin": "https://lab.test"},
    "a page below ours": {"origin": f"https://x.{DOMAIN}"},
    "ours in plain text": {"origin": f"http://{DOMAIN}"},
    "another port of ours": {"origin": f"{ORIGIN}:8443"},
    "a page that hides itself": {"origin": "null"},
    "one that hides, beside ours": {"origin": "null", "sec-fetch-site": "same-origin"},
    "a beginning of ours": {"origin": f"{ORIGIN}.evil.example.com"},
    "two at once": {"origin": f"{ORIGIN} https://evil.example.com"},
    "nobody": {"origin": ""},
    "another site, by the browser's word": {"sec-fetch-site": "cross-site"},
    "a neighbour, by the browser's word": {"sec-fetch-site": "same-site"},
    "the address bar": {"sec-fetch-site": "none"},
    "nobody, and silence": {},
}


@pytest.mark.parametrize("sender", SENDERS)
@pytest.mark.parametrize("number", range(4))
def test_a_form_from_elsewhere_does_nothing(house: Site, with_key: Browser, sender: str, number: int) -> None:
    path, fields = list(forms(house, with_key).items())[number]
    right = token(with_key.get("/vibevoice/door/keys"))
    answer = with_key.request("POST", path, data={"form": right, **fields}, headers=SENDERS[sender])
    assert (answer.status_code, heading(answer)) == (403, "This form came from somewhere else")
    unchanged(house, with_key)


@pytest.mark.parametrize("number", range(4))
def test_a_get_does_nothing(house: Site, with_key: Browser, number: int) -> None:
    path, fields = list(forms(house, with_key).items())[number]
    right = token(with_key.get("/vibevoice/door/keys"))
    with_key.get(path, params={"form": right, **fields})
    with_key.get(
        path, params={"form": right, "_method": "POST", **fields}, headers={"x-http-method-override": "POST"}
    )
    unchanged(house, with_key)


@pytest.mark.parametrize("number", range(4))
def test_a_stranger_with_the_right_token_does_nothing(house: Site, with_key: Browser, number: int) -> None:
    path, fields = list(forms(house, with_key).items())[number]
    right = token(with_key.get("/vibevoice/door/keys"))
    with Browser(house.app) as stranger:
        answer = stranger.send(path, {"form": right, **fields})
    assert answer.status_code in (303, 403) and "__Host-vv_session" not in str(answer.headers)
    unchanged(house, with_key)


def test_without_an_origin_the_browsers_word_is_enough(ana: Browser) -> None:
    right = token(ana.get("/vibevoice/logout"))
    answer = ana.request(
        "POST", "/vibevoice/logout", data={"form": right}, headers={"sec-fetch-site": "same-origin"}
    )
    assert answer.headers["location"] == "/vibevoice/login"


BODIES: dict[str, tuple[int, dict[str, Any]]] = {
    "json": (415, {"json": {"form": "x"}}),
    "text": (415, {"content": "form=x", "headers": {"content-type": "text/plain"}}),
    "parts": (415, {"files": {"form": b"x"}}),
    "no type": (415, {"content": b"form=x"}),
    "twice": (400, {"content": b"form=x&form=y"}),
    "no text": (400, {"content": b"form=%ff%fe"}),
    "not ascii": (400, {"content": b"form=\xff"}),
    "many": (400, {"content": b"&".join(b"a%d=1" % n for n in range(1000))}),
    "large": (413, {"content": b"form=" + b"x" * 100_000}),
}


@pytest.mark.parametrize("kind", BODIES)
def test_what_is_no_form_is_not_read(house: Site, with_key: Browser, kind: str) -> None:
    status, options = BODIES[kind]
    headers = {"origin": ORIGIN}
    if status != 415:
        headers["content-type"] = "application/x-www-form-urlencoded"
    options = {**options, "headers": headers | options.get("headers", {})}
    answer = with_key.request("POST", "/vibevoice/door/keys", **options)
    assert (answer.status_code, heading(answer)) == (status, "This form could not be read")
    unchanged(house, with_key)

"""The pages say the same in each language, and nothing that nobody wrote."""

import re
import string
from pathlib import Path

import door
import pytest
from door import words
from door.pages.invite import WEAK
from door.pages.keys import REFUSALS
from door.people import KeyRefused, WeakPassword
from door.words import LANGUAGES

FOLDER = Path(door.__file__).parent
SOURCES = [
    *FOLDER.glob("templates/*.html"),
    *FOLDER.glob("pages/*.py"),
    FOLDER / "sso.py",
    FOLDER / "oidc.py",
]
STATES = ("running", "starting", "stopped")
# Made of a part that is known here and one that is not: "state_" ~ card.state.
BUILT = {
    *(f"state_{state}" for state in STATES),
    *(f"waiting_{state}" for state in STATES),
    *(f"waiting_{state}_title" for state in STATES),
}


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def named() -> set[str]:
    """The keys that templates and pages name, and those that go with them."""
    keys: set[str] = set()
    for source in SOURCES:
        text = source.read_text()
        keys |= set(re.findall(r'say\("([a-z_]+)"', text))
        keys |= {word for word in re.findall(r'"([a-z_]+)"', text) if word in words.LANGUAGES["en"]}
        for refusal in re.findall(r'(?:Refusal\(|\.refusal\()\s*\d+, "([a-z_]+)"', text):
            keys |= {refusal, f"{refusal}_title"}
    return keys | BUILT


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_text(language: str) -> None:
    assert LANGUAGES[language].keys() == LANGUAGES["en"].keys()
    assert all(LANGUAGES[language].values())


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_has_the_same_placeholders_in_every_language(language: str) -> None:
    for key, text in LANGUAGES[language].items():
        assert placeholders(text) == placeholders(LANGUAGES["en"][key]), key


def test_every_text_that_a_page_names_is_there() -> None:
    assert named() - LANGUAGES["en"].keys() - {"state_", "waiting_"} == set()


def test_every_text_is_named_by_a_page() -> None:
    assert LANGUAGES["en"].keys() - named() == set()


def test_every_language_has_a_tag_and_a_name() -> None:
    assert words.TAGS.keys() == words.NAMES.keys() == LANGUAGES.keys()


def test_every_reason_of_the_core_has_words() -> None:
    for refusal, known in ((KeyRefused, REFUSALS), (WeakPassword, WEAK)):
        assert set(re.findall(r'"([a-z]+)"', str(refusal.__doc__))) == known.keys()
        assert set(known.values()) <= LANGUAGES["en"].keys()


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("zh", "zh"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("ZH-hant-TW", "zh"),
        ("en-GB,en;q=0.9,zh;q=0.8", "en"),
        ("de-DE,de;q=0.9", "en"),
        ("de-DE,de;q=0.9,zh;q=0.3,en;q=0.2", "zh"),
        ("en;q=0.1, zh;q=0.2", "zh"),
        ("zh;q=0", "en"),
        ("zh;q=nonsense", "en"),
        ("zh;q=nan", "en"),
        ("zh;q=2", "en"),
        ("zh;level=1", "en"),
        ("*", "en"),
        (",;,;;q=,=", "en"),
        ("x" * 100_000 + ",zh", "en"),
    ],
)
def test_the_browsers_preference_decides(header: str, language: str) -> None:
    assert words.preferred(header) == language

"""The configuration: what is right is taken, what is wrong is named, and nothing else ever happens."""

import contextlib
import copy
import json
from typing import Any

import pytest
from door.config import Config, ConfigError
from hypothesis import given
from hypothesis import strategies as st
from visiting import LIMITS, project, provider_settings, site

ISSUER = {
    "name": "ci",
    "issuer": "https://ci.example.com",
    "audience": "vibevoice",
    "jwks": None,
    "user_claim": "sub",
    "group_claim": "realm_access.roles",
    "algorithms": ["RS256", "EdDSA"],
    "ca": "/etc/vibevoice/door/ca/ci.pem",
}


def parsed(**changes: Any) -> Config:
    return Config.parse(json.dumps(site(**changes)).encode())


def test_a_whole_site_is_read() -> None:
    config = parsed(issuers=[ISSUER], session_hours=1.5)
    podcast = config.project("podcast")
    assert podcast and podcast.users == {"ana", "li"} and podcast.groups == {"corp:podcast-team"}
    assert podcast.limits.upload_bytes == 104857600 and podcast.limits.minutes_per_day is None
    assert config.users["new"] is None
    assert config.sign_on[0].scopes == ("openid", "profile", "email")
    assert config.issuers[0].algorithms == ("RS256", "EdDSA")
    assert (config.session_hours, config.sign_on_hours, config.key_days) == (1.5, 12, 365)
    assert config.providers == {"corp", "ci"}


def test_the_digest_is_of_the_bytes() -> None:
    raw = json.dumps(site()).encode()
    assert Config.parse(raw).digest != Config.parse(raw + b"\n").digest
    assert len(Config.parse(raw).digest) == 16


def test_a_project_is_found_in_its_exact_spelling_only() -> None:
    assert parsed().project("Podcast") is None
    assert parsed().project("podcast ") is None


def test_secrets_are_in_no_representation() -> None:
    config = parsed()
    assert "provider's secret" not in repr(config)
    assert "argon2id" not in repr(config)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"domain": "studio.lab.test/x"}, 'domain: should be a host name, not "studio.lab.test/x"'),
    ({"users": {"ana": "secret"}}, "users.ana: should be an argon2id hash in PHC form, or null"),
    ({"users": {"a:b": None}}, "users: a user: should be a name"),
    ({"users": ["ana"]}, "users: should be an object"),
    ({"projects": [project("podcast", ["eve"], [])]}, 'projects[0].users: has "eve", who is not in users'),
    (
        {"projects": [project("podcast", [], ["other:x"])]},
        'projects[0].groups: has "other:x", but no provider',
    ),
    ({"projects": [project("podcast", [], ["x"])]}, "projects[0].groups[0]: should be a group of a provider"),
    ({"projects": [project("a", [], [])] * 2}, "projects: has something twice"),
    ({"projects": [project("a", [], []), project("a", ["ana"], [])]}, 'projects: have "a" 2 times'),
    ({"projects": [project("../x", [], [])]}, "projects[0].name: should be a name"),
    ({"projects": [{**project("a", [], []), "more": 1}]}, 'projects[0]."more": is not known here'),
    (
        {"projects": [{**project("a", [], []), "limits": {**LIMITS, "streams": True}}]},
        "projects[0].limits.streams: should be a whole number",
    ),
    (
        {"projects": [{**project("a", [], []), "node_url": "http://10.0.0.1/x"}]},
        "projects[0].node_url: should be",
    ),
    (
        {"sign_on": [provider_settings("http://id.example.com")]},
        "sign_on[0].issuer: should be an https:// URL",
    ),
    ({"sign_on": [provider_settings(name="a:b")]}, "sign_on[0].name: should be a name"),
    ({"issuers": [{**ISSUER, "name": "corp"}]}, 'sign_on and issuers: have "corp" 2 times'),
    ({"issuers": [{**ISSUER, "algorithms": ["HS256"]}]}, "issuers[0].algorithms[0]: should be one of RS256"),
    ({"issuers": [{**ISSUER, "algorithms": ["none"]}]}, "issuers[0].algorithms[0]: should be one of RS256"),
    ({"issuers": [{**ISSUER, "algorithms": []}]}, "issuers[0].algorithms: is empty"),
    ({"session_hours": 0}, "session_hours: should be a number above 0"),
    ({"session_hours": True}, "session_hours: should be a number above 0"),
    ({"sesion_hours": 3}, '"sesion_hours": is not known here'),
    ({"site": "a\ud800"}, "site: should be text"),
]


@pytest.mark.parametrize(("changes", "words"), WRONG, ids=[words for _, words in WRONG])
def test_a_mistake_is_named_with_its_place(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parsed(**changes)
    assert str(caught.value).startswith(words)


def test_what_is_missing_is_named() -> None:
    told = site()
    del told["projects"]
    with pytest.raises(ConfigError, match="projects: is missing"):
        Config.parse(json.dumps(told).encode())


@pytest.mark.parametrize(
    "raw", [b"", b"\xff", b"[]", b"null", b'{"a": NaN}', b'{"a": 1, "a": 1}', b"[" * 100_000]
)
def test_what_is_no_configuration_at_all_is_a_mistake(raw: bytes) -> None:
    with pytest.raises(ConfigError):
        Config.parse(raw)


def test_a_password_never_stands_in_a_message() -> None:
    for secret in (
        "hunter2",
        "$argon2id$v=19$m=9999999,t=2,p=1$c29tZXNhbHRzb21l$aGFzaGhhc2hoYXNoaGFzaGhhc2g",
    ):
        with pytest.raises(ConfigError) as caught:
            parsed(users={"ana": secret})
        assert secret not in str(caught.value)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_configuration_or_a_mistake(raw: bytes) -> None:
    with pytest.raises(ConfigError):
        Config.parse(raw)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


def places(value: Any, here: tuple = ()) -> list[tuple]:
    """Where in a document something could be replaced."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [here, *(place for key, inner in inside for place in places(inner, (*here, key)))]


@given(st.data())
def test_any_value_in_any_place_is_taken_or_a_mistake(data: st.DataObject) -> None:
    told: Any = {"top": copy.deepcopy({**SITE, "issuers": [ISSUER]})}
    place = data.draw(st.sampled_from(places(told)[1:]))
    spot = told
    for key in place[:-1]:
        spot = spot[key]
    spot[place[-1]] = data.draw(json_values)
    with contextlib.suppress(ConfigError):
        Config.parse(json.dumps(told["top"]).encode())


SITE = site()

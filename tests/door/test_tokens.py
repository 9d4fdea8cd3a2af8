"""Tokens of trusted issuers: which are believed, for whom, and what the issuers are asked for it."""

import json
import time
from typing import Any

import pytest
from authority import Authority
from door.config import Config
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry
from judging import ALGORITHMS, Asked, parts
from provider import CROOKED, OpenIdProvider
from visiting import site

# --- good ones ---


def test_a_good_token_says_who_comes_and_until_when(asked: Asked) -> None:
    claims = asked.claims()
    person, expires = asked.verify(asked.provider.signer.sign(claims))
    assert (person.name, person.provider) == ("ci:builder", "ci")
    assert person.groups == {"ci:podcast-team"}
    assert expires == claims["exp"]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_allowed_algorithm_is_understood(asked: Asked, algorithm: str) -> None:
    key = {
        "RS": lambda: RSAKey.generate_key(2048, {"kid": "k"}),
        "PS": lambda: RSAKey.generate_key(2048, {"kid": "k"}),
        "ES": lambda: ECKey.generate_key("P-384" if algorithm == "ES384" else "P-256", {"kid": "k"}),
        "Ed": lambda: OKPKey.generate_key("Ed25519", {"kid": "k"}),
    }[algorithm[:2]]()
    asked.provider.signer.more.append(key.as_dict(private=False))
    token = jwt.encode({"alg": algorithm, "kid": "k"}, asked.claims(), key, algorithms=[algorithm])
    assert asked.verify(token)[0].name == "ci:builder"


@pytest.mark.parametrize("kind", ["JWT", "jwt", "at+jwt", "application/at+jwt"])
def test_tokens_for_access_may_say_so(asked: Asked, kind: str) -> None:
    assert asked.name(asked.provider.signer.sign(asked.claims(), typ=kind)) == "ci:builder"


def test_headers_that_nobody_knows_change_nothing(asked: Asked) -> None:
    key = asked.provider.signer.key
    header = {"alg": "RS256", "kid": key.kid, "typ": "JWT", "x-issued-by": "somebody"}
    lax = JWSRegistry(algorithms=["RS256"], strict_check_header=False)
    assert asked.name(jwt.encode(header, asked.claims(), key, registry=lax)) == "ci:builder"


def test_the_only_key_needs_no_name(asked: Asked) -> None:
    assert asked.name(jwt.encode({"alg": "RS256"}, asked.claims(), asked.provider.signer.key)) == "ci:builder"


def test_of_several_keys_a_nameless_one_is_nobodys(asked: Asked) -> None:
    asked.provider.signer.more.append(RSAKey.generate_key(2048, {"kid": "other"}).as_dict(private=False))
    token = jwt.encode({"alg": "RS256"}, asked.claims(), asked.provider.signer.key)
    assert asked.why_not(token) == "unknown key"


@pytest.mark.parametrize(
    ("claims", "groups"),
    [
        ({"groups": "podcast-team"}, {"ci:podcast-team"}),
        ({"groups": ["a", "b:c"]}, {"ci:a", "ci:b:c"}),
        ({"groups": []}, set()),
        ({"groups": ...}, set()),
        ({"groups": None}, set()),
        ({"groups": ["", "*", 7, None, ["x"]]}, set()),
        ({"groups": {"podcast-team": True}}, set()),
        ({"groups": 7}, set()),
    ],
)
def test_groups_are_the_issuers_own_and_words(asked: Asked, claims: dict[str, Any], groups: set[str]) -> None:
    assert asked.verify(asked.token(**claims))[0].groups == groups


@pytest.mark.parametrize(
    ("path", "claims"),
    [("realm.roles", {"realm": {"roles": ["a"]}}), ("realm.roles", {"realm.roles": ["a"]})],
)
def test_a_claim_may_stand_inside_of_another(
    provider: OpenIdProvider, authority: Authority, path: str, claims: dict[str, Any]
) -> None:
    asked = Asked(provider, authority, group_claim=path)
    assert asked.verify(asked.token(**claims))[0].groups == {"ci:a"}


def test_one_issuer_may_serve_several_audiences(provider: OpenIdProvider, authority: Authority) -> None:
    asked = Asked(provider, authority)
    more = {**asked.issuer, "name": "night", "audience": "night"}
    asked.config = Config.parse(json.dumps(site(issuers=[asked.issuer, more])).encode())
    assert asked.verify(asked.token())[0].name == "ci:builder"
    assert asked.verify(asked.token(aud="night"))[0].name == "night:builder"


@pytest.mark.parametrize("seconds", [-25, 25])
def test_clocks_may_differ_by_half_a_minute(asked: Asked, seconds: int) -> None:
    now = int(time.time())
    claims = {"exp": now + seconds} if seconds < 0 else {"iat": now + seconds, "nbf": now + seconds}
    assert asked.name(asked.token(**claims)) == "ci:builder"


# --- bad ones ---


REASONS = {
    "audience": "another audience",
    "expired": "expired",
    "no-exp": "exp",
    "future": "issued in the future",
    "issuer": "unknown issuer",
    "none": "algorithm not allowed",
    "hs256": "algorithm not allowed",
    "forged": "bad signature",
    "key": "unknown key",
    "embedded": "bad signature",
    "type": "another type of token",
    "missing": "not a token",
}


@pytest.mark.parametrize("crooked", REASONS)
def test_a_crooked_token_is_refused(asked: Asked, crooked: str) -> None:
    token = CROOKED[crooked](asked.provider.signer, asked.claims())
    assert REASONS[crooked] in asked.why_not(token)


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": "9999999999"},
        {"exp": True},
        {"exp": None},
        {"exp": []},
        {"exp": float("nan")},
        {"exp": float("inf")},
        {"exp": -1},
        {"exp": int(time.time()) - 31},
        {"nbf": int(time.time()) + 3600},
        {"nbf": "soon"},
        {"iat": "now"},
        {"aud": ...},
        {"aud": None},
        {"aud": ""},
        {"aud": []},
        {"aud": "vibevoice2"},
        {"aud": ["vibe", "voice"]},
        {"aud": {"vibevoice": True}},
        {"aud": [["vibevoice"]]},
        {"aud": ["vibevoice", 7]},
        {"iss": ...},
        {"iss": None},
        {"iss": ["x"]},
        {"iss": {}},
        {"sub": ...},
        {"sub": ""},
        {"sub": 7},
        {"sub": "a\nb"},
        {"sub": " builder"},
        {"sub": "x" * 201},
        {"sub": {"name": "builder"}},
    ],
)
def test_a_claim_that_is_not_as_it_should_be_is_refused(asked: Asked, claims: dict[str, Any]) -> None:
    assert asked.why_not(asked.token(**claims))


def test_an_expiry_beyond_all_numbers_is_one(asked: Asked) -> None:
    assert asked.verify(asked.token(exp=10**400))[1] == 2**53


@pytest.mark.parametrize("verified", [False, "false"])
def test_an_email_that_is_not_verified_names_nobody(
    provider: OpenIdProvider, authority: Authority, verified: object
) -> None:
    asked = Asked(provider, authority, user_claim="email")
    assert asked.verify(asked.token(email="ana@example.com"))[0].name == "ci:ana@example.com"
    token = asked.token(email="ana@example.com", email_verified=verified)
    assert asked.why_not(token) == "email not verified"


def test_an_algorithm_that_the_issuer_may_not_use_is_refused(
    provider: OpenIdProvider, authority: Authority
) -> None:
    asked = Asked(provider, authority, algorithms=["ES256"])
    assert asked.why_not(asked.token()) == "algorithm not allowed"
    assert asked.key_sets == 0


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"alg": None},
        {"alg": ["RS256"]},
        {"alg": {"RS256": 1}},
        {"alg": "rs256"},
        {"alg": "None"},
        {"alg": "nOnE"},
        {"alg": ""},
        {"alg": "HS256"},
        {"alg": "HS512"},
        {"alg": "ES256K"},
        {"alg": "dir"},
        {"alg": "RS256", "kid": 7},
        {"alg": "RS256", "kid": ["first"]},
        {"alg": "RS256", "typ": 7},
        {"alg": "RS256", "crit": ["exp"]},
        {"alg": "RS256", "crit": []},
        {"alg": "RS256", "b64": False},
        {"alg": "RS256", "b64": False, "crit": ["b64"]},
    ],
)
def test_a_header_that_is_not_as_it_should_be_is_refused_before_anybody_is_asked(
    asked: Asked, header: dict[str, Any]
) -> None:
    assert asked.why_not(parts(header, asked.claims(), b"signature"))
    assert asked.provider.asked == []


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "a.b.c.d.e",
        "é.é.é",
        "\0.\0.\0",
        "." * 100_000,
        "A" * 20_000,
        parts([], {}, b""),
        parts(["alg"], {}, b""),
        parts("alg", {}, b""),
        parts({"alg": "RS256"}, [], b""),
        parts({"alg": "RS256"}, b"{" * 5000, b""),
        parts(b"[" * 5000, {}, b""),
        parts(b"\xff", {}, b""),
    ],
)
def test_what_is_no_token_is_refused_before_anybody_is_asked(asked: Asked, token: str) -> None:
    assert asked.why_not(token)
    assert asked.provider.asked == []


def test_a_changed_token_is_refused(asked: Asked) -> None:
    header, claims, signature = asked.token().split(".")
    others = parts(asked.claims(sub="admin"))
    for changed in (
        f"{header}.{others}.{signature}",
        f"{header}.{claims}.{signature[:-4]}AAAA",
        f"{header}.{claims}.",
        f"{header}.{claims}.{signature}=",
        f"{header}.{claims}. {signature}",
        f"{header}\n.{claims}.{signature}",
        f"{header}.{claims}.{signature}.",
    ):
        assert asked.why_not(changed)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.text(max_size=30), st.binary(max_size=30)), min_size=3, max_size=3))
def test_no_noise_does_anything_but_being_refused(asked: Asked, noise: list[str | bytes]) -> None:
    assert asked.why_not(parts(*noise))
    assert asked.why_not(".".join(map(str, noise)))

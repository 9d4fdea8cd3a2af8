"""Issuers' keys: which are good for anything, and how often the issuers are asked for them."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from authority import Authority
from door.tokens import TokenRefused, TokensUnavailable
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from judging import Asked
from provider import OpenIdProvider

WEAK: dict[str, Callable[[], Any]] = {
    "short": lambda: RSAKey.generate_key(1024, {"kid": "weak"}),
    "for secrets": lambda: RSAKey.generate_key(2048, {"kid": "weak", "use": "enc"}),
    "for another algorithm": lambda: RSAKey.generate_key(2048, {"kid": "weak", "alg": "RS512"}),
    "not for checking": lambda: RSAKey.generate_key(2048, {"kid": "weak", "key_ops": ["sign"]}),
}


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
@pytest.mark.parametrize("kind", WEAK)
def test_a_key_that_is_not_for_this_checks_nothing(asked: Asked, kind: str) -> None:
    key = WEAK[kind]()
    asked.provider.signer.more.append({**key.as_dict(private=False), "kid": "weak"})
    meant = ("use", "alg", "key_ops")
    signing = RSAKey.import_key(
        {name: value for name, value in key.as_dict(private=True).items() if name not in meant}
    )
    token = jwt.encode({"alg": "RS256", "kid": "weak"}, asked.claims(), signing)
    assert asked.why_not(token) == "unknown key"


def test_a_secret_in_a_key_set_checks_nothing(asked: Asked) -> None:
    secret = OctKey.generate_key(256, {"kid": "shared"})
    asked.provider.signer.more.append(secret.as_dict(private=True))
    token = jwt.encode({"alg": "HS256", "kid": "shared"}, asked.claims(), secret)
    assert asked.why_not(token) == "algorithm not allowed"


def test_keys_that_cannot_be_read_take_none_with_them(asked: Asked) -> None:
    asked.provider.signer.more += [
        {"kty": "RSA"},
        {"kty": "RSA", "n": "!", "e": "AQAB"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "OKP", "crv": "X", "x": "AA"},
        {"kty": "LATTICE", "pub": "AA"},
        {"kty": ["RSA"]},
        {"kty": "RSA", "key_ops": 7},
        {},
    ]
    assert asked.name(asked.token()) == "ci:builder"


# --- asking for keys ---


def test_keys_are_asked_for_once_in_ten_minutes(asked: Asked) -> None:
    for moment in (0, 1, 599):
        asked.now = 1000 + moment
        asked.verify(asked.token())
    assert asked.key_sets == 1
    asked.now = 1600
    asked.verify(asked.token())
    assert asked.key_sets == 2


def test_a_new_key_is_found_at_once(asked: Asked) -> None:
    asked.verify(asked.token())
    asked.provider.signer.rotate()
    asked.now += 11
    assert asked.name(asked.token()) == "ci:builder"
    assert asked.key_sets == 2


def test_a_key_taken_back_is_good_for_ten_minutes_more(asked: Asked) -> None:
    old = asked.token()
    asked.verify(old)
    asked.provider.signer.rotate()
    asked.now += 599
    assert asked.name(old) == "ci:builder"
    asked.now += 2
    assert asked.why_not(old) == "unknown key"


def test_keys_that_nobody_knows_are_asked_for_every_ten_seconds_at_most(asked: Asked) -> None:
    asked.verify(asked.token())
    for second in range(21):
        asked.now = 1010 + second
        assert asked.why_not(asked.provider.signer.other_key(asked.claims())) == "unknown key"
    assert asked.key_sets == 1 + 3


def test_a_good_token_waits_for_nobody_elses_key(asked: Asked) -> None:
    good, unknown = asked.token(), asked.provider.signer.other_key(asked.claims())

    async def both() -> list[Any]:
        await asked.tokens.verify(good, asked.config)
        asked.now += 11
        order: list[str] = []

        async def judge(token: str, name: str) -> None:
            with contextlib.suppress(TokenRefused):
                await asked.tokens.verify(token, asked.config)
            order.append(name)

        await asyncio.gather(judge(unknown, "unknown"), judge(good, "good"))
        return order

    assert asyncio.run(both()) == ["good", "unknown"]


def test_many_at_once_ask_once(asked: Asked) -> None:
    async def many() -> int:
        token = asked.token()
        return len(await asyncio.gather(*(asked.tokens.verify(token, asked.config) for _ in range(50))))

    assert asyncio.run(many()) == 50
    assert asked.key_sets == 1


def test_an_address_for_the_keys_needs_no_discovery(provider: OpenIdProvider, authority: Authority) -> None:
    asked = Asked(provider, authority, jwks=f"{provider.issuer}/jwks")
    assert asked.name(asked.token()) == "ci:builder"
    assert provider.asked == ["/jwks"]


def test_without_its_keys_nobody_can_say(provider: OpenIdProvider, authority: Authority) -> None:
    nowhere = "https://127.0.0.1:9/jwks"
    asked = Asked(provider, authority, jwks=nowhere)
    for _ in range(2):
        with pytest.raises(TokensUnavailable, match=nowhere):
            asked.verify(asked.token())


def test_a_stranger_in_the_issuers_place_is_not_asked(provider: OpenIdProvider, authority: Authority) -> None:
    for changes in ({"ca": None}, {"ca": "/nowhere.pem"}):
        asked = Asked(provider, authority, **changes)
        with pytest.raises(TokensUnavailable):
            asked.verify(asked.token())
    provider.claimed_issuer = "https://elsewhere.example.com"
    with pytest.raises(TokensUnavailable, match="its issuer is not"):
        Asked(provider, authority).verify(Asked(provider, authority).token())


def test_an_outage_of_the_issuer_is_outlived_for_an_hour(asked: Asked) -> None:
    token = asked.token()
    asked.verify(token)
    asked.provider.away = True
    for moment in (601, 612, 3600):
        asked.now = 1000 + moment
        assert asked.name(token) == "ci:builder"
    asked.now = 1000 + 3611
    with pytest.raises(TokensUnavailable):
        asked.verify(token)
    asked.provider.away = False
    asked.now += 11
    assert asked.name(token) == "ci:builder"

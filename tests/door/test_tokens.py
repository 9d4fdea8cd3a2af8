"""Tokens of trusted issuers: which are believed, for whom, and what the issuers are asked for it."""

import asyncio
import base64
import contextlib
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from authority import Authority
from door.config import Config
from door.keysets import KeySets
from door.tokens import TokenRefused, Tokens, TokensUnavailable
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry
from provider import CROOKED, OpenIdProvider
from visiting import site

ALGORITHMS = ["RS256", "PS256", "ES256", "ES384", "EdDSA", "Ed25519"]


class Asked:
    """Judges tokens against one issuer, the provider, with a clock that a test turns."""

    def __init__(self, provider: OpenIdProvider, authority: Authority, **changes: Any) -> None:
        self.provider, self.now = provider, 1000.0
        self.issuer = {
            "name": "ci",
            "issuer": provider.issuer,
            "audience": "vibevoice",
            "jwks": None,
            "algorithms": ALGORITHMS,
            "ca": str(authority.ca),
            **changes,
        }
        self.config = Config.parse(json.dumps(site(issuers=[self.issuer])).encode())
        self.tokens = Tokens(KeySets(clock=lambda: self.now))

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(time.time())
        right = {
            "iss": self.provider.issuer,
            "aud": ["vibevoice"],
            "sub": "builder",
            "exp": now + 300,
            "iat": now,
            "groups": ["podcast-team"],
        }
        return {name: value for name, value in {**right, **changes}.items() if value is not ...}

    def token(self, **changes: Any) -> str:
        """A token of the provider's honest making; `...` takes a claim away."""
        return self.provider.signer.sign(self.claims(**changes))

    def verify(self, token: str) -> tuple[Any, float]:
        return asyncio.run(self.tokens.verify(token, self.config))

    def name(self, token: str) -> str:
        return self.verify(token)[0].name

    def why_not(self, token: str) -> str:
        with pytest.raises(TokenRefused) as refused:
            self.verify(token)
        return refused.value.reason

    @property
    def key_sets(self) -> int:
        """How often the provider was asked for its keys."""
        return self.provider.asked.count("/jwks")


@pytest.fixture
def asked(provider: OpenIdProvider, authority: Authority) -> Asked:
    return Asked(provider, authority)


def parts(*contents: Any) -> str:
    """A token of anything, not signed."""
    raw = [content if isinstance(content, bytes) else json.dumps(content).encode() for content in contents]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in raw)


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

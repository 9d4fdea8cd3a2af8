"""Bearer tokens of issuers that the site trusts: programs that already have an identity elsewhere."""

import time
from collections.abc import Callable
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwt import JWTClaimsRegistry

from . import signed
from .config import Config, Issuer
from .fetch import Unreachable
from .keysets import KeySets, Source, UnknownKey
from .people import Person

# A token made for something else (a logout, a proof of possession) says so in its type.
TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt", "application/jwt"})


class TokenRefused(Exception):
    """The token is not good; the message says why, without any of its contents."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TokensUnavailable(Exception):
    """Nobody can say whether the token is good: the issuer's keys cannot be had."""


class Tokens:
    """Judges tokens against a configuration's issuers, and keeps their keys. `clock`: Unix seconds."""

    def __init__(self, keys: KeySets | None = None, clock: Callable[[], float] = time.time) -> None:
        self._keys = keys or KeySets()
        self._clock = clock

    async def verify(self, token: str, config: Config) -> tuple[Person, float]:
        """Who a token speaks for, and until when (unix seconds).

        Raises TokenRefused, or TokensUnavailable if the issuer cannot be asked for its keys.
        """
        try:
            unverified = signed.take_apart(token, signed.ALGORITHMS, TYPES)
            issuer = _issuer(unverified.claims, config)
            if unverified.algorithm not in issuer.algorithms:
                raise TokenRefused("algorithm not allowed")
            source = Source(issuer.issuer, issuer.ca, issuer.jwks)
            key = await self._keys.key(source, unverified.algorithm, unverified.kid)
            claims = signed.verified(unverified, key)
            self._check(claims, issuer)
            name = signed.name_of(claims, issuer.user_claim)
            groups = signed.groups_of(claims, issuer.group_claim, issuer.name)
        except signed.BadToken as error:
            raise TokenRefused(str(error)) from error
        except UnknownKey as error:
            raise TokenRefused("unknown key") from error
        except Unreachable as error:
            raise TokensUnavailable(str(error)) from error
        person = Person(name=f"{issuer.name}:{name}", groups=groups or frozenset(), provider=issuer.name)
        return person, float(min(claims["exp"], 2**53))

    def _check(self, claims: dict[str, Any], issuer: Issuer) -> None:
        registry = JWTClaimsRegistry(
            now=int(self._clock()),
            leeway=signed.LEEWAY_S,
            iss={"essential": True, "value": issuer.issuer},
            aud={"essential": True, "value": issuer.audience},
            exp={"essential": True},
        )
        try:
            registry.validate(claims)
        except JoseError as error:
            raise TokenRefused(error.description or error.error) from error


def _issuer(claims: dict[str, Any], config: Config) -> Issuer:
    """Which issuer's keys to check with: nothing is believed yet. One issuer may serve several audiences."""
    own = [issuer for issuer in config.issuers if issuer.issuer == claims.get("iss")]
    if not own:
        raise TokenRefused("unknown issuer")
    audience = claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    for issuer in own:
        if issuer.audience in named:
            return issuer
    raise TokenRefused("another audience")

"""JSON web tokens of other people's making: what has to hold before a word in them is believed."""

import base64
import binascii
import json
import warnings
from dataclasses import dataclass
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import Key

# Signatures by key pairs only. Never none; never HMAC, whose key would be the provider's public one.
ALGORITHMS = frozenset(
    f"{kind}{bits}" for kind in ("RS", "PS", "ES") for bits in (256, 384, 512)
) | frozenset({"EdDSA", "Ed25519", "Ed448"})
LEEWAY_S = 30
MAX_CHARS = 16 * 1024
MAX_NAME_CHARS = 200
MAX_GROUPS = 500


class BadToken(Exception):
    """Not to be believed; the message says why, without any of the token's contents."""


@dataclass(frozen=True)
class Unverified:
    """A token taken apart; nothing of it is to be believed, it only says which key to look for."""

    token: str
    algorithm: str
    kid: str | None
    claims: dict[str, Any]


def take_apart(token: str, algorithms: frozenset[str], types: frozenset[str]) -> Unverified:
    """A token's parts, if its header may stand. `types` are the `typ` to take, in lower case, beside none.

    Raises BadToken.
    """
    parts = token.split(".")
    if len(token) > MAX_CHARS or len(parts) != 3:
        raise BadToken("not a token")
    header, claims = _object(parts[0]), _object(parts[1])
    algorithm, kid, kind = header.get("alg"), header.get("kid"), header.get("typ")
    if not isinstance(algorithm, str) or algorithm not in algorithms & ALGORITHMS:
        raise BadToken("algorithm not allowed")
    if not isinstance(kid, str | None) or not isinstance(kind, str | None):
        raise BadToken("malformed header")
    if kind is not None and kind.lower() not in types:
        raise BadToken("another type of token")
    # Extensions that change what is signed (RFC 7515 4.1.11, RFC 7797); no provider uses them.
    if "crit" in header or "b64" in header:
        raise BadToken("critical header")
    return Unverified(token, algorithm, kid, claims)


def _object(part: str) -> dict[str, Any]:
    try:
        found = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise BadToken("not a token") from error
    if not isinstance(found, dict):
        raise BadToken("not a token")
    return found


def verified(token: Unverified, key: Key) -> dict[str, Any]:
    """The claims, once it is certain that `key` made the token's signature. Raises BadToken."""
    # Headers that nobody knows are to be ignored (RFC 7515 4); the critical ones were refused.
    registry = jws.JWSRegistry(algorithms=[token.algorithm], strict_check_header=False)
    registry.max_header_length = MAX_CHARS
    try:
        with warnings.catch_warnings():
            # "EdDSA" is deprecated in favour of "Ed25519", and what most issuers still say.
            warnings.simplefilter("ignore", SecurityWarning)
            signed = jws.deserialize_compact(token.token, key, registry=registry)
    except (JoseError, ValueError, TypeError) as error:
        raise BadToken("bad signature") from error
    assert signed.payload is not None
    return json.loads(signed.payload)


def claim(claims: dict[str, Any], path: str) -> Any:
    """The value of a claim, None if there is none. The name itself wins over the path its dots make."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for step in path.split("."):
        found = found.get(step) if isinstance(found, dict) else None
    return found


def name_of(claims: dict[str, Any], path: str) -> str:
    """Who the token is about. Raises BadToken if it does not say, or an email is not verified."""
    name = claim(claims, path)
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME_CHARS or not name.isprintable():
        raise BadToken(f"no usable claim {path}")
    if name != name.strip():
        raise BadToken(f"no usable claim {path}")
    if path == "email" and claims.get("email_verified") in (False, "false"):
        raise BadToken("email not verified")
    return name


def groups_of(claims: dict[str, Any], path: str, provider: str) -> frozenset[str] | None:
    """The groups named by a claim, each as `provider:group`; None if the claim is missing.

    "*" is no group: in the inventory it means everybody of the provider.
    """
    found = claim(claims, path)
    if found is None:
        return None
    values = [found] if isinstance(found, str) else found if isinstance(found, list) else []
    names = [value for value in values[:MAX_GROUPS] if isinstance(value, str) and value not in ("", "*")]
    return frozenset(f"{provider}:{name}" for name in names)

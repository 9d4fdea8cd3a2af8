"""Public keys of identity providers: fetched when they are needed, kept, and refreshed within bounds."""

import asyncio
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import JWKRegistry, Key, RSAKey

from . import fetch
from .fetch import Unreachable

DISCOVERY_S = 3600
KEYS_S = 600
# An outage of the provider does not end what it vouched for at once; a key it took back ends at last.
GRACE_S = 3600
# However many tokens with keys nobody knows arrive.
PAUSE_S = 10
MAX_KEYS = 100
RSA_BITS = 2048
_KINDS = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}


class UnknownKey(Exception):
    """The provider has no key that could have made this signature."""


@dataclass(frozen=True)
class Source:
    """Where keys come from: the issuer, its key set's address (None: by discovery), its authorities."""

    issuer: str
    ca: str | None
    jwks: str | None = None


@dataclass
class _Kept:
    document: dict[str, Any] | None = None
    document_at: float = 0.0
    document_asked_at: float = float("-inf")
    document_failure: str = ""
    keys: tuple[Key, ...] = ()
    keys_at: float = 0.0
    asked_at: float = float("-inf")
    failure: str = ""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class KeySets:
    """Discovery documents and keys of all providers, for one process. `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[Source, _Kept] = {}

    async def document(self, source: Source) -> dict[str, Any]:
        """The provider's discovery document, not older than an hour. Raises Unreachable."""
        kept = self._kept.setdefault(source, _Kept())
        async with kept.lock:
            return await self._document(source, kept)

    async def key(self, source: Source, algorithm: str, kid: str | None) -> Key:
        """The key for a signature. Raises UnknownKey, or Unreachable when no keys can be had."""
        kept = self._kept.setdefault(source, _Kept())
        # What is known and fresh waits for no fetch that somebody else's token has caused.
        if self._clock() - kept.keys_at < KEYS_S and (known := fitting(kept.keys, algorithm, kid)):
            return known
        async with kept.lock:
            await self._refresh(source, kept, algorithm, kid)
        if not kept.keys:
            raise Unreachable(kept.failure or f"{source.issuer} has no keys")
        if known := fitting(kept.keys, algorithm, kid):
            return known
        raise UnknownKey

    async def _refresh(self, source: Source, kept: _Kept, algorithm: str, kid: str | None) -> None:
        now = self._clock()
        fresh = now - kept.keys_at < KEYS_S and fitting(kept.keys, algorithm, kid)
        if fresh or now - kept.asked_at < PAUSE_S:
            return
        kept.asked_at = now
        try:
            url = source.jwks or address(await self._document(source, kept), "jwks_uri")
            kept.keys, kept.keys_at, kept.failure = usable(await fetch.get(url, source.ca)), now, ""
        except Unreachable as error:
            kept.failure = str(error)
            if now - kept.keys_at > GRACE_S:
                kept.keys = ()

    async def _document(self, source: Source, kept: _Kept) -> dict[str, Any]:
        now = self._clock()
        if kept.document and now - kept.document_at < DISCOVERY_S:
            return kept.document
        if now - kept.document_asked_at < PAUSE_S and kept.document_failure:
            raise Unreachable(kept.document_failure)
        kept.document_asked_at, kept.document_failure = now, ""
        try:
            kept.document, kept.document_at = await _discover(source), now
        except Unreachable as error:
            kept.document_failure = str(error)
            raise
        return kept.document


async def _discover(source: Source) -> dict[str, Any]:
    url = source.issuer.rstrip("/") + "/.well-known/openid-configuration"
    document = await fetch.get(url, source.ca)
    # Exactly (OpenID Discovery 4.3): else one provider could speak for another.
    if document.get("issuer") != source.issuer:
        raise Unreachable(f"{url}: its issuer is not {source.issuer}")
    return document


def address(document: dict[str, Any], name: str) -> str:
    """An address that a discovery document names. Raises Unreachable unless it is as safe as the issuer's."""
    url = document.get(name)
    if not isinstance(url, str) or not fetch.safe(url):
        raise Unreachable(f"The discovery document's {name} is not an https address")
    if url.startswith("http:") and not document["issuer"].startswith("http:"):
        raise Unreachable(f"The discovery document's {name} is not an https address")
    return url


def usable(document: dict[str, Any]) -> tuple[Key, ...]:
    """The keys of a JWKS with which signatures may be checked: public ones, not weak, no secrets."""
    entries = document.get("keys")
    found = [_usable(entry) for entry in (entries if isinstance(entries, list) else [])[:MAX_KEYS]]
    return tuple(key for key in found if key)


def _usable(entry: object) -> Key | None:
    if not isinstance(entry, dict) or entry.get("kty") not in _KINDS.values():
        return None
    try:
        if entry.get("use", "sig") != "sig" or "verify" not in entry.get("key_ops", ["verify"]):
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)
            key = JWKRegistry.import_key(entry)
    # One key that cannot be read must not take the others with it.
    except (JoseError, ValueError, TypeError, KeyError, OverflowError):
        return None
    if isinstance(key, RSAKey) and key.public_key.key_size < RSA_BITS:
        return None
    return key


def fitting(keys: tuple[Key, ...], algorithm: str, kid: str | None) -> Key | None:
    """The one key named `kid` (None: the only one there is) that can make signatures of `algorithm`."""
    kind = _KINDS.get(algorithm[:2])
    fit = [
        key
        for key in keys
        if key.key_type == kind and key.get("alg") in (None, algorithm) and kid in (None, key.kid)
    ]
    # Without a name there must be no choice (OpenID Core 10.1).
    return fit[0] if fit and (kid is not None or len(fit) == 1) else None

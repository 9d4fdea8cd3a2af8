"""Tokens of a real issuer, and a judge whose clock a test turns."""

import asyncio
import base64
import json
import time
from typing import Any

import pytest
from authority import Authority
from door.config import Config
from door.keysets import KeySets
from door.tokens import TokenRefused, Tokens
from provider import OpenIdProvider
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


def parts(*contents: Any) -> str:
    """A token of anything, not signed."""
    raw = [content if isinstance(content, bytes) else json.dumps(content).encode() for content in contents]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in raw)

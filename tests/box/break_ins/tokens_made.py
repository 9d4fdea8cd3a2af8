"""JSON Web Tokens, made by hand: libraries rightly refuse to make most of these."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

Json = dict[str, Any]


def encoded(content: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def token(header: Json, claims: Json, signature: bytes = b"") -> str:
    """A token with whatever signature."""
    return f"{signed_part(header, claims)}.{encoded(signature)}"


def signed_part(header: Json, claims: Json) -> str:
    return f"{encoded(json.dumps(header).encode())}.{encoded(json.dumps(claims).encode())}"


def by_secret(header: Json, claims: Json, secret: bytes) -> str:
    """A token of HS256, whose secret may be something that everybody knows."""
    signature = hmac.new(secret, signed_part(header, claims).encode(), hashlib.sha256).digest()
    return token(header, claims, signature)


@dataclass
class Issuer:
    """Issues tokens of RS256 for programs."""

    issuer: str
    audience: str
    key: rsa.RSAPrivateKey = field(
        default_factory=lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048), repr=False
    )

    def claims(self, **changes: Any) -> Json:
        """Those of a program that may enter podcast; None removes one."""
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": "robot",
            "groups": ["podcast"],
            "iat": now,
            "exp": now + 300,
        } | changes
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, claims: Json | None = None, **header: Any) -> str:
        """A good token, but for what the caller changes."""
        whole = {"alg": "RS256", "typ": "JWT", "kid": "1"} | header
        content = self.claims() if claims is None else claims
        signed = signed_part(whole, content)
        signature = self.key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{encoded(signature)}"

    @property
    def pem(self) -> bytes:
        """The public key: known to everybody."""
        return self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    @property
    def modulus(self) -> str:
        return encoded(self.key.public_key().public_numbers().n.to_bytes(256, "big"))

    @property
    def jwk(self) -> Json:
        """The public key as a JSON Web Key."""
        return {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "1", "n": self.modulus, "e": "AQAB"}

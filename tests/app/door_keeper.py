"""What the gateway's door does for a studio: signs what a visitor may do."""

import base64
import json

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

DAY_S = 86_400
NOON = 1_700_049_600.0
"""2023-11-15 12:00 UTC."""


class Clock:
    """Stands still until a test moves it."""

    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def next_day(self) -> None:
        """To noon of a day of which nothing has been used yet."""
        self.now += DAY_S - (self.now - NOON) % DAY_S


class DoorKeeper:
    """Holds the private key."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._key = Ed25519PrivateKey.generate()

    @property
    def public_key(self) -> str:
        """As the studio is given it."""
        return base64.b64encode(self._key.public_key().public_bytes_raw()).decode()

    def allowance(self, **changes: object) -> dict[str, object]:
        """A generous one for podcast, good for two minutes."""
        return {
            "project": "podcast",
            "user": "ana",
            "streams": 32,
            "upload_bytes": 100_000,
            "minutes_per_day": None,
            "exp": int(self.clock.now) + 120,
            **changes,
        }

    def sign(self, payload: bytes) -> str:
        """A header with any bytes as its payload."""
        signed = f"v1.{base64url(payload)}"
        return f"{signed}.{base64url(self._key.sign(signed.encode()))}"

    def header(self, **changes: object) -> str:
        return self.sign(json.dumps(self.allowance(**changes)).encode())

    def headers(self, **changes: object) -> dict[str, str]:
        return {"X-Auth-Limits": self.header(**changes)}


def base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

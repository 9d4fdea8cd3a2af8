"""What the gateway's login service, the door, says of a visitor, in a header that it signs.

    X-Auth-Limits: v1.<payload>.<signature>

Both parts are base64url without padding: JSON, and Ed25519 over the ASCII bytes "v1.<payload>".
"""

import base64
import re
from collections.abc import Callable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import BaseModel, ConfigDict, Field, ValidationError

# 64 bytes of signature are 86 characters.
_SHAPE = re.compile(rb"(v1\.([A-Za-z0-9_-]{1,4096}))\.([A-Za-z0-9_-]{86})")
# The clocks of gateway and node may differ by so much.
LEEWAY_S = 30
# The door signs anew once a minute for each visitor, and each header is good for two.
KNOWN_HEADERS = 1024


class NotThroughTheDoor(Exception):
    """A request that the door did not send; the message says why, for the log."""


class Allowance(BaseModel):
    """Who a visitor is and what the project may do, as the door has it."""

    model_config = ConfigDict(frozen=True, strict=True)

    project: str
    user: str = Field(min_length=1)
    streams: int = Field(ge=0)
    """Streams that the project may have open at once."""
    upload_bytes: int = Field(ge=0)
    """Size of the largest request body."""
    minutes_per_day: float | None = Field(ge=0, allow_inf_nan=False)
    """Minutes of speech for each UTC day; None: no limit."""
    exp: float = Field(allow_inf_nan=False)
    """Until when this holds, in Unix seconds."""


class Door:
    """Knows the door's handwriting. For the event loop's thread."""

    def __init__(self, key: str, project: str, now: Callable[[], float]) -> None:
        self._key, self._project, self._now = public_key(key), project, now
        self._known: dict[bytes, Allowance] = {}

    def allowance(self, header: bytes) -> Allowance:
        """What the header allows. Raises NotThroughTheDoor: forged, expired or another project's.

        A signature takes 0.1 ms to check; one that was good stays so until it expires.
        """
        known = self._known.get(header)
        allowance = self._read(header) if known is None else known
        if self._now() > allowance.exp + LEEWAY_S:
            self._known.pop(header, None)
            raise NotThroughTheDoor("its pass has expired; are the clocks right?")
        if known is None:
            self._remember(header, allowance)
        return allowance

    def _read(self, header: bytes) -> Allowance:
        shape = _SHAPE.fullmatch(header)
        if shape is None:
            raise NotThroughTheDoor("its pass has another form")
        signed, payload, signature = shape.groups()
        try:
            self._key.verify(_decode(signature), signed)
            allowance = Allowance.model_validate_json(_decode(payload))
        except InvalidSignature:
            raise NotThroughTheDoor("its pass is not signed with VV_DOOR_KEY") from None
        except ValidationError as error:
            names = sorted({str(part) for e in error.errors() for part in e["loc"][:1]})
            raise NotThroughTheDoor(f"its pass lacks sense: {', '.join(names) or 'no JSON'}") from None
        except ValueError:
            raise NotThroughTheDoor("its pass is not base64url") from None
        if allowance.project != self._project:
            raise NotThroughTheDoor("its pass is another project's")
        return allowance

    def _remember(self, header: bytes, allowance: Allowance) -> None:
        if len(self._known) >= KNOWN_HEADERS:
            del self._known[next(iter(self._known))]
        self._known[header] = allowance


def public_key(text: str) -> Ed25519PublicKey:
    """The key in a text: base64 of 32 bytes, white space around it allowed. Raises ValueError."""
    try:
        return Ed25519PublicKey.from_public_bytes(base64.b64decode(text.strip(), validate=True))
    except ValueError:
        raise ValueError("must be the base64 of an Ed25519 key's 32 bytes") from None


def _decode(text: bytes) -> bytes:
    """base64url without padding, in its one right spelling. Raises ValueError."""
    value = base64.urlsafe_b64decode(text + b"==")
    if base64.urlsafe_b64encode(value).rstrip(b"=") != text:
        raise ValueError("not canonical")
    return value

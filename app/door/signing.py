"""What the door signs: cookies, forms, invitations, probes, and the limits it hands to studios."""

import base64
import hashlib
import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from itsdangerous import BadData, TimestampSigner, URLSafeTimedSerializer

from .config import Limits, Project

SECRET_BYTES = 32
FORM_S = 12 * 3600
PROBE_S = 120
PROBE_PREFIX = "vvprobe_"
# A studio takes limits for this long; the door signs them anew when half of it is over.
LIMITS_S = 120
LIMITS_CACHED_S = 60
LIMITS_CACHED = 10_000


def once(path: Path, make: Callable[[], bytes], mode: int = 0o600) -> bytes:
    """The bytes of `path`; made on first use, by one of all processes that ask at the same time.

    A file appears whole or not at all: written and synced under another name, then linked, which fails
    where somebody was faster.
    """
    if not path.exists():
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(make())
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        _sync(path.parent)
    return path.read_bytes()


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Signing:
    """All signatures of a site. `data` keeps the keys; whoever has them may enter everywhere.

    Raises ValueError where a key file is not what this made.
    """

    def __init__(self, data: Path, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._secret = once(data / "secret", lambda: secrets.token_bytes(SECRET_BYTES))
        seed = once(data / "limits.key", lambda: secrets.token_bytes(SECRET_BYTES))
        for name, found in {"secret": self._secret, "limits.key": seed}.items():
            if len(found) != SECRET_BYTES:
                raise ValueError(
                    f"{data / name} has {len(found)} bytes instead of {SECRET_BYTES}. "
                    "Delete it for a new one; then everybody has to log in again."
                )
        key = Ed25519PrivateKey.from_private_bytes(seed)
        public = base64.b64encode(key.public_key().public_bytes_raw()) + b"\n"
        if once(data / "limits.pub", lambda: public, 0o644) != public:
            # The key was made anew: the public half follows.
            (data / "limits.pub").unlink()
            once(data / "limits.pub", lambda: public, 0o644)
        self._signers: dict[str, URLSafeTimedSerializer] = {}
        self.forms = Forms(self.signer("form"))
        self.limits = LimitsHeader(key)

    def signer(self, salt: str) -> URLSafeTimedSerializer:
        """Signs and dates what is meant for one purpose only, which `salt` names."""
        if salt not in self._signers:
            self._signers[salt] = URLSafeTimedSerializer(
                self._secret, salt=f"door.{salt}", signer=_Signer, signer_kwargs={"clock": self._clock}
            )
        return self._signers[salt]

    def probe(self, project: str) -> str:
        """A token with which the deploy may ask for the health of `project`, for two minutes."""
        return PROBE_PREFIX + self.signer("probe").dumps(project)

    def probed(self, token: str) -> str | None:
        """The project of a probe's token, or None if it is none or too old."""
        try:
            project = self.signer("probe").loads(token.removeprefix(PROBE_PREFIX), max_age=PROBE_S)
        except BadData:
            return None
        return project if isinstance(project, str) else None


class _Signer(TimestampSigner):
    """HMAC-SHA256 with a date, of the desk's own clock."""

    def __init__(self, *keys: Any, clock: Callable[[], float], **options: Any) -> None:
        super().__init__(*keys, **options, key_derivation="hmac", digest_method=hashlib.sha256)
        self._clock = clock

    def get_timestamp(self) -> int:
        return int(self._clock())


class Forms:
    """Tokens against forged requests: a form is good only with the cookie it was made for."""

    def __init__(self, signer: URLSafeTimedSerializer) -> None:
        self._signer = signer

    def issue(self, binding: str) -> str:
        """A token for forms of whoever is known by `binding`: a session, or a cookie before there is one."""
        return self._signer.dumps(_bound(binding))

    def valid(self, token: str, binding: str) -> bool:
        """Whether `token` was issued for `binding` in the last 12 hours."""
        try:
            bound = self._signer.loads(token, max_age=FORM_S)
        except BadData:
            return False
        return isinstance(bound, str) and secrets.compare_digest(bound.encode(), _bound(binding).encode())


def _bound(binding: str) -> str:
    """A digest: what binds a form is often secret, and the form's token stands in the page."""
    return hashlib.sha256(b"form\0" + binding.encode(errors="replace")).hexdigest()


class LimitsHeader:
    """The signed X-Auth-Limits of a person in a project: made rarely, handed out often."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self._cached: dict[tuple[str, str, Limits], tuple[bytes, float]] = {}

    def of(self, project: Project, user: str, now: float) -> tuple[bytes, float]:
        """`v1.<payload>.<signature>`, and until when to hand it out (Unix seconds, as `now`)."""
        asked = (project.name, user, project.limits)
        found = self._cached.get(asked)
        # The clock may have been set back.
        if found and now < found[1] <= now + LIMITS_CACHED_S:
            return found
        if len(self._cached) >= LIMITS_CACHED:
            self._cached.clear()
        self._cached[asked] = found = (self._sign(project, user, now), now + LIMITS_CACHED_S)
        return found

    def _sign(self, project: Project, user: str, now: float) -> bytes:
        limits = project.limits
        content = {
            "project": project.name,
            "user": user,
            "streams": limits.streams,
            "upload_bytes": limits.upload_bytes,
            "minutes_per_day": limits.minutes_per_day,
            "exp": int(now) + LIMITS_S,
        }
        signed = b"v1." + _base64url(json.dumps(content, separators=(",", ":")).encode())
        return signed + b"." + _base64url(self._key.sign(signed))


def _base64url(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")

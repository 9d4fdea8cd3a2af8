"""known_hosts lines: reading them, and finding a host's keys among them."""

import base64
import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class HostKey:
    """A host's public key as known_hosts has it."""

    names: str
    kind: str
    blob: str

    def __str__(self) -> str:
        return f"{self.names} {self.kind} {self.blob}"

    @property
    def fingerprint(self) -> str:
        """SHA256 fingerprint, in the form that `ssh-keygen -l` prints."""
        digest = hashlib.sha256(base64.b64decode(self.blob)).digest()
        return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"

    def names_host(self, name: str) -> bool:
        """Whether this line is about `name`, plain or hashed."""
        if not self.names.startswith("|1|"):
            return name in self.names.split(",")
        salt, _, expected = self.names[3:].partition("|")
        digest = hmac.new(base64.b64decode(salt), name.encode(), hashlib.sha1).digest()
        return hmac.compare_digest(base64.b64encode(digest).decode(), expected)


def parse(text: str) -> list[HostKey]:
    """The keys in a known_hosts file; comments and marked lines are passed over."""
    rows = (line.split() for line in text.splitlines() if not line.startswith(("#", "@")))
    return [HostKey(*row[:3]) for row in rows if len(row) >= 3]


def of(keys: Iterable[HostKey], dial: str, port: int) -> list[HostKey]:
    """The keys of the host that answers at `dial` and `port`."""
    name = written(dial, port)
    return [key for key in keys if key.names_host(name)]


def written(dial: str, port: int) -> str:
    """How known_hosts names a host: bare on port 22, `[host]:port` elsewhere."""
    return dial if port == 22 else f"[{dial}]:{port}"

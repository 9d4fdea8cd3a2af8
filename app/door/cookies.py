"""The door's cookies: what a request brings, and what is left of it for a studio. Pure."""

from dataclasses import dataclass

# Browsers keep such a cookie to one host, to HTTPS and to the whole of it.
PREFIX = "__Host-vv_"
SESSION = f"{PREFIX}session"
DEVICE = f"{PREFIX}device"
_OURS = PREFIX.lower().encode()
_OWS = b" \t"


@dataclass(frozen=True)
class Cookies:
    """A Cookie header, taken apart.

    Args:
        own: the door's cookies by name. One that came twice is missing: whoever could plant a second one
            must not choose which counts.
        rest: everything else, for the studio; empty if there is nothing.
    """

    own: dict[str, str]
    rest: bytes


def split(header: bytes) -> Cookies:
    """Take a Cookie header apart, as browsers put it together; several are joined by "; " before."""
    found: dict[str, tuple[str, str] | None] = {}
    rest: list[bytes] = []
    for part in header.split(b";"):
        part = part.strip(_OWS)
        # Anywhere in it, in any case: no reader of cookies, however odd, shall find one of ours in the rest.
        if _OURS not in part.lower():
            if part:
                rest.append(part)
            continue
        name, _, value = (piece.strip(_OWS).decode("latin-1") for piece in part.partition(b"="))
        # A browser sends a name as it was set: another spelling was planted, and makes two of one.
        found[name.lower()] = None if name.lower() in found else (name, value)
    own = dict(pair for pair in found.values() if pair and pair[0].startswith(PREFIX))
    return Cookies(own, b"; ".join(rest))


def setting(name: str, value: str, max_age_s: float) -> str:
    """A Set-Cookie value: for scripts unreadable, never sent without TLS nor with another site's POST."""
    return f"{name}={value}; Max-Age={int(max_age_s)}; Path=/; Secure; HttpOnly; SameSite=Lax"


def clearing(name: str) -> str:
    """A Set-Cookie value that makes a browser forget the cookie."""
    return setting(name, "", 0)

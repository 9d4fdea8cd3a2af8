"""Where a login leads to: only ever to a page of this site, whatever the address said."""

from urllib.parse import quote, unquote, urlsplit

PORTAL = "/vibevoice/"
LOGIN = "/vibevoice/login"
MAX_CHARS = 2000
# Sent there after a login, one would be logged out again, or go round in circles.
_OWN = ("/vibevoice/login", "/vibevoice/logout", "/vibevoice/auth", "/vibevoice/door/invite")
# Of what a browser sends in an address, all that is no more than itself there.
_PLAIN = "%/?:@!$&'()*+,;=~-._"


def safe_next(value: str | None) -> str:
    """`value` if it is a path of this site (with a query), as it stands in a Location; or the portal."""
    if not value or len(value) > MAX_CHARS or not value.startswith(PORTAL) or not _is_plain(value):
        return PORTAL
    path = _decoded(urlsplit(value).path)
    if path is None or not _is_plain(path) or not path.startswith(PORTAL):
        return PORTAL
    # Neither a host ("//") nor a way out ("..") wherever it stands: no page of ours has them.
    if "//" in path or any(part in (".", "..") for part in path.split("/")):
        return PORTAL
    if any(path.lower() == own or path.lower().startswith(own + "/") for own in _OWN):
        return PORTAL
    return quote(value, safe=_PLAIN)


def login_for(value: str) -> str:
    """The login page's address, coming back to `value` afterwards."""
    onward = safe_next(value)
    return LOGIN if onward == PORTAL else f"{LOGIN}?next={quote(onward, safe='')}"


def _is_plain(value: str) -> bool:
    """No backslash (a slash to browsers), no control character, no fragment."""
    return value.isprintable() and "\\" not in value and "#" not in value


def _decoded(path: str) -> str | None:
    """The path when all of its encodings are off; None if there are more than anybody honest needs."""
    for _ in range(3):
        plain = unquote(path)
        if plain == path:
            return plain
        path = plain
    return None

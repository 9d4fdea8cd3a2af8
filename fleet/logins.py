"""Password hashes that stay the same from one run to the next."""

from __future__ import annotations

import base64
import hashlib
from functools import cache

import bcrypt

from fleet.models import Site

STANDARD = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
BCRYPT = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def salt(*place: str) -> str:
    """A salt in bcrypt's alphabet, made from where a login belongs and never from its password.

    A random one would change the file on every run; a salt only has to be different for each login.
    """
    digest = hashlib.sha256("\0".join(place).encode()).digest()[:16]
    return base64.b64encode(digest).decode()[:22].translate(str.maketrans(STANDARD, BCRYPT))


@cache
def _hashed(password: str, cost: int, salt: str) -> str:
    return bcrypt.hashpw(password.encode(), f"$2b${cost:02}${salt}".encode()).decode()


def htpasswd(site: Site, project: str, user: str) -> str:
    """`user:bcrypt-hash` of one login of a project (or of "dashboard").

    Raises:
        ValueError: the password has more than 72 bytes, which bcrypt would not read.
    """
    password = site.secret(project, user)
    if len(password.encode()) > 72:
        raise ValueError(f"the password of {project}/{user} is longer than 72 bytes, all that bcrypt reads")
    cost = site.traefik.basic_auth_cost
    return f"{user}:{_hashed(password, cost, salt(site.name, project, user))}"

"""Password hashes that stay the same from one run to the next."""

from __future__ import annotations

import base64
import hashlib
from functools import cache

import argon2
import bcrypt

from fleet.models import Site

STANDARD = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
BCRYPT = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def _salt(*place: str) -> bytes:
    return hashlib.sha256("\0".join(place).encode()).digest()[:16]


def salt(*place: str) -> str:
    """A salt in bcrypt's alphabet, made from where a login belongs and never from its password.

    A random one would change the file on every run; a salt only has to be different for each login.
    """
    return base64.b64encode(_salt(*place)).decode()[:22].translate(str.maketrans(STANDARD, BCRYPT))


@cache
def _hashed(password: str, cost: int, salt: str) -> str:
    return bcrypt.hashpw(password.encode(), f"$2b${cost:02}${salt}".encode()).decode()


def door_hash(site: Site, user: str) -> str | None:
    """argon2id hash of a user's password as the door verifies it; None where an invitation sets it.

    The parameters are OWASP's least: a deploy hashes everybody's anew, and the door checks each once a minute
    at most.
    """
    password = site.secrets.get("users", {}).get(user)
    if password is None:
        return None
    return _argon2(password.get_secret_value(), _salt(site.name, "users", user))


@cache
def _argon2(password: str, salt: bytes) -> str:
    return argon2.low_level.hash_secret(
        password.encode(), salt, time_cost=2, memory_cost=19456, parallelism=1, hash_len=32,
        type=argon2.Type.ID,
    ).decode()  # fmt: skip


def htpasswd(site: Site, group: str, user: str) -> str:
    """`user:bcrypt-hash` of one login of Traefik's own, such as ("dashboard", "root").

    Raises:
        ValueError: the password has more than 72 bytes, which bcrypt would not read.
    """
    password = site.secret(group, user)
    if len(password.encode()) > 72:
        raise ValueError(f"the password of {group}/{user} is longer than 72 bytes, all that bcrypt reads")
    cost = site.traefik.basic_auth_cost
    return f"{user}:{_hashed(password, cost, salt(site.name, group, user))}"

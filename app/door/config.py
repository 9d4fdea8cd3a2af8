"""The site as the deploy wrote it down: users, projects, sign-on providers, token issuers. Pure."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

import argon2

from .shape import ConfigError, Kind, Shape, fail, maybe, number, read, several, shown, text, whole

__all__ = ["Config", "ConfigError", "Issuer", "Limits", "Project", "SignOn"]

# No colon: names and groups of a provider's people have one, so nobody can be both.
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
HOST = r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(:[0-9]{1,5})?"
# Plain HTTP only where nobody can listen.
SAFE_URL = rf"(https://{HOST}|http://(127\.0\.0\.1|localhost)(:[0-9]{{1,5}})?)(/[!-~]*)?"
# Signatures by a private key alone: with a shared secret whoever checks a token could make one.
ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA", "Ed25519", "Ed448"),
)
YEAR_H = 366 * 24

_name = text(NAME, "a name of letters, digits and . _ - inside")
_words = text()
_url = text(SAFE_URL, "an https:// URL (http:// on the loopback only)")
_claim = text(r"[^\x00-\x20\x7f]+", "a claim's name, with dots into objects")
_scope = text(r"[!#-\[\]-~]+", "a scope")
_algorithm = text("|".join(ALGORITHMS), f"one of {', '.join(ALGORITHMS)}")


@dataclass(frozen=True)
class Limits:
    """What one project may use.

    Args:
        requests_per_s: requests a second, with bursts of twice as many.
        streams: generations and event streams at the same time.
        upload_bytes: largest request body.
        minutes_per_day: minutes of speech a day; None: as many as the GPUs make.
    """

    requests_per_s: float
    streams: int
    upload_bytes: int
    minutes_per_day: float | None = None


@dataclass(frozen=True)
class Project:
    """A project and who may enter it.

    Args:
        users: inventory users.
        groups: qualified groups, "corp:podcast-team"; "corp:*" is everybody of that provider.
        node_url: where its studios are served, on the private network; no slash at the end.
    """

    name: str
    users: frozenset[str]
    groups: frozenset[str]
    node_url: str
    limits: Limits


@dataclass(frozen=True)
class SignOn:
    """An OpenID Connect provider that people sign on with."""

    name: str
    label: str
    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    scopes: tuple[str, ...]
    user_claim: str
    group_claim: str
    ca: str | None


@dataclass(frozen=True)
class Issuer:
    """Whoever issues JSON Web Tokens that programs may enter with. jwks None: by its discovery document."""

    name: str
    issuer: str
    audience: str
    jwks: str | None
    user_claim: str
    group_claim: str
    algorithms: tuple[str, ...]
    ca: str | None


@dataclass(frozen=True)
class Config:
    """A site's configuration, checked. `parse` makes one.

    Args:
        users: inventory users and the argon2id hash of their password; None: set by invitation.
        digest: first 16 hexadecimal digits of the SHA-256 of the file's bytes.
    """

    site: str
    domain: str
    users: Mapping[str, str | None] = field(repr=False)
    projects: tuple[Project, ...]
    sign_on: tuple[SignOn, ...]
    issuers: tuple[Issuer, ...]
    session_hours: float
    sign_on_hours: float
    sign_on_trust_days: float
    key_days: float
    invite_hours: float
    audit_days: float
    digest: str

    @classmethod
    def parse(cls, raw: bytes) -> "Config":
        """The configuration in a file's bytes. Raises ConfigError, and nothing else, whatever the bytes."""
        top = Shape(read(raw), "")
        config = cls(
            site=top.take("site", _words),
            domain=top.take("domain", text(HOST, "a host name")),
            users=top.take("users", _users),
            projects=top.take("projects", several(_project)),
            sign_on=top.take("sign_on", several(_sign_on), ()),
            issuers=top.take("issuers", several(_issuer), ()),
            session_hours=top.take("session_hours", number(YEAR_H), 168),
            sign_on_hours=top.take("sign_on_hours", number(YEAR_H), 12),
            sign_on_trust_days=top.take("sign_on_trust_days", number(3660), 30),
            key_days=top.take("key_days", number(3660), 365),
            invite_hours=top.take("invite_hours", number(YEAR_H), 72),
            audit_days=top.take("audit_days", number(3660), 365),
            digest=hashlib.sha256(raw).hexdigest()[:16],
        )
        top.end()
        config._check_names()
        return config

    @cached_property
    def _by_name(self) -> dict[str, Project]:
        return {project.name: project for project in self.projects}

    @cached_property
    def providers(self) -> frozenset[str]:
        """Names of all sign-on providers and token issuers."""
        return frozenset(provider.name for provider in (*self.sign_on, *self.issuers))

    def project(self, name: str) -> Project | None:
        """The project of that name, in its exact spelling."""
        return self._by_name.get(name)

    def _check_names(self) -> None:
        """Everything is called differently, and whoever is named exists."""
        _differ("projects", [project.name for project in self.projects])
        # One namespace: both qualify groups, and "ci:admin" of one must not open what the other's may.
        _differ("sign_on and issuers", [provider.name for provider in (*self.sign_on, *self.issuers)])
        for n, project in enumerate(self.projects):
            for user in sorted(project.users - self.users.keys()):
                fail(f"projects[{n}].users", f'has "{user}", who is not in users')
            for group in sorted(project.groups):
                if group.partition(":")[0] not in self.providers:
                    fail(f"projects[{n}].groups", f"has {shown(group)}, but no provider is called so")


def _differ(where: str, names: list[str]) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            fail(where, f'have "{name}" {count} times')


def _users(value: Any, where: str) -> Mapping[str, str | None]:
    users = Shape(value, where)
    found = {_name(name, f"{where}: a user"): users.take(name, maybe(_password_hash)) for name in value}
    return MappingProxyType(found)


def _password_hash(value: Any, where: str) -> str:
    """An argon2id hash in PHC form, none that would take a minute or a machine's memory to check."""
    # The value never stands in the message: it is a secret.
    kind: Kind[str] = text(
        r"\$argon2id\$v=19\$m=[0-9]{1,7},t=[0-9]{1,2},p=[0-9]{1,2}\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{22,86}",
        "an argon2id hash in PHC form, or null",
        secret=True,
    )
    found = kind(value, where)
    try:
        asked = argon2.extract_parameters(found)
    except (argon2.exceptions.InvalidHashError, ValueError):
        fail(where, "should be an argon2id hash in PHC form, or null")
    if asked.memory_cost > 1_048_576 or asked.time_cost > 16:
        fail(where, "is an argon2id hash of more than 1 GiB or 16 rounds, which nobody could wait for")
    return found


def _project(value: Any, where: str) -> Project:
    shape = Shape(value, where)
    project = Project(
        name=shape.take("name", _name),
        users=frozenset(shape.take("users", several(_name), ())),
        groups=frozenset(shape.take("groups", several(_group), ())),
        node_url=shape.take("node_url", text(rf"https?://({HOST}|\[[0-9a-f:]+\](:[0-9]+)?)", "a node's URL")),
        limits=shape.take("limits", _limits),
    )
    shape.end()
    return project


def _group(value: Any, where: str) -> str:
    return text(rf"{NAME}:[^\x00-\x1f\x7f]+", 'a group of a provider, such as "corp:team"')(value, where)


def _limits(value: Any, where: str) -> Limits:
    shape = Shape(value, where)
    limits = Limits(
        requests_per_s=shape.take("requests_per_s", number(1_000_000)),
        streams=shape.take("streams", whole(1, 1_000_000)),
        upload_bytes=shape.take("upload_bytes", whole(1, 2**53)),
        minutes_per_day=shape.take("minutes_per_day", maybe(number(10_000_000)), None),
    )
    shape.end()
    return limits


def _sign_on(value: Any, where: str) -> SignOn:
    shape = Shape(value, where)
    name = shape.take("name", _name)
    provider = SignOn(
        name=name,
        label=shape.take("label", maybe(_words), None) or name,
        issuer=shape.take("issuer", _url),
        client_id=shape.take("client_id", _words),
        client_secret=shape.take("client_secret", text(called="a client's secret", secret=True)),
        scopes=shape.take("scopes", several(_scope), ("openid", "profile", "email")),
        user_claim=shape.take("user_claim", _claim, "email"),
        group_claim=shape.take("group_claim", _claim, "groups"),
        ca=shape.take("ca", maybe(_path), None),
    )
    shape.end()
    return provider


def _issuer(value: Any, where: str) -> Issuer:
    shape = Shape(value, where)
    issuer = Issuer(
        name=shape.take("name", _name),
        issuer=shape.take("issuer", _url),
        audience=shape.take("audience", _words),
        jwks=shape.take("jwks", maybe(_url), None),
        user_claim=shape.take("user_claim", _claim, "sub"),
        group_claim=shape.take("group_claim", _claim, "groups"),
        algorithms=shape.take("algorithms", several(_algorithm), ("RS256", "ES256", "EdDSA")),
        ca=shape.take("ca", maybe(_path), None),
    )
    shape.end()
    if not issuer.algorithms:
        fail(f"{where}.algorithms", "is empty, so that no token could be believed")
    return issuer


def _path(value: Any, where: str) -> str:
    return text(r"/[^\x00-\x1f\x7f]+", "an absolute path")(value, where)

"""What the door is told: the inventory's projects, people and providers, as one JSON file. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from fleet import Issuer, Project, SignOn, Site
from fleet.logins import door_hash
from steps.files import File

DIRECTORY = "/etc/vibevoice/door"
CONFIG = f"{DIRECTORY}/site.json"
DATA = "/srv/vibevoice/door"
USER = "10002"


def files(site: Site) -> list[File]:
    """The door's files, for its group alone; it reads them again whenever they change."""
    providers = [one for one in (*site.sign_on, *site.issuers) if one.ca]
    authorities = [
        File(_ca(one), one.ca.read_text(), mode="640", group=USER) for one in providers if one.ca is not None
    ]
    # Last, so that what it names is there.
    return [*authorities, File(CONFIG, render(site), mode="640", group=USER)]


def digest(written: Sequence[File]) -> str:
    """How the door names the configuration it has in force."""
    (main,) = [file for file in written if file.dest == CONFIG]
    return hashlib.sha256(main.data).hexdigest()[:16]


def render(site: Site) -> str:
    """site.json. Holds password hashes and client secrets."""
    knobs = site.door
    whole = {
        "site": site.name,
        "domain": site.domain,
        "users": {user: door_hash(site, user) for user in site.users},
        "projects": [_project(site, project) for project in site.projects],
        "sign_on": [_sign_on(site, provider) for provider in site.sign_on],
        "issuers": [_issuer(issuer) for issuer in site.issuers],
        "session_hours": knobs.session_hours,
        "sign_on_hours": knobs.sign_on_hours,
        "sign_on_trust_days": knobs.sign_on_trust_days,
        "key_days": knobs.key_days,
        "invite_hours": knobs.invite_hours,
        "audit_days": knobs.audit_days,
    }
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def _project(site: Site, project: Project) -> dict[str, Any]:
    limits = project.limits
    return {
        "name": project.name,
        "users": project.users,
        "groups": project.groups,
        "node_url": site.node_url(project.node),
        "limits": {
            "requests_per_s": limits.requests_per_s,
            "streams": limits.streams,
            "upload_bytes": limits.upload,
            "minutes_per_day": limits.minutes_per_day,
        },
    }


def _sign_on(site: Site, provider: SignOn) -> dict[str, Any]:
    return {
        "name": provider.name,
        "label": provider.words,
        "issuer": provider.issuer,
        "client_id": provider.client_id,
        "client_secret": site.secret("sign_on", provider.name),
        "scopes": provider.scopes,
        "user_claim": provider.user_claim,
        "group_claim": provider.group_claim,
        "ca": _ca(provider) if provider.ca else None,
    }


def _issuer(issuer: Issuer) -> dict[str, Any]:
    return {
        "name": issuer.name,
        "issuer": issuer.issuer,
        "audience": issuer.audience,
        "jwks": issuer.jwks,
        "user_claim": issuer.user_claim,
        "group_claim": issuer.group_claim,
        "algorithms": issuer.algorithms,
        "ca": _ca(issuer) if issuer.ca else None,
    }


def _ca(provider: SignOn | Issuer) -> str:
    return f"{DIRECTORY}/ca/{provider.name}.pem"

"""Knobs of the gateway's services, and of what the whole site shares."""

from typing import Annotated, Literal

from pydantic import Field

from fleet.knobs.section import Section
from fleet.quantities import (
    Count,
    Email,
    File,
    Flag,
    Number,
    Port,
    ResticRepository,
    Seconds,
    Text,
    TimeOfDay,
    Url,
)

LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"


class Acme(Section):
    """The certificate of the site's domain."""

    email: Email = Field(description="where the certificate authority sends its warnings")
    challenge: Literal["http", "tls", "dns"] = Field(
        default="http",
        description="proof of the domain: http over port 80, tls over port 443, dns by a TXT record",
    )
    dns_provider: Text | None = Field(
        default=None, description="Traefik's name of the DNS provider, for challenge dns"
    )
    dns_env: tuple[Text, ...] = Field(
        default=(),
        description="names of the variables that provider reads; their values are secrets of [acme]",
    )
    server: Url = Field(LETS_ENCRYPT, description="ACME directory of the certificate authority")
    server_ca: File | None = Field(
        default=None, description="PEM file that signs the ACME server itself; none: public"
    )
    root: File | None = Field(
        default=None, description="PEM file that clients must trust; none: a public authority"
    )


class Images(Section):
    """Container images of the site's own services, and the base of the studio's."""

    traefik: Text = Field(default="traefik:v3.7.15", description="Traefik on the gateway and on every node")
    registry: Text = Field(default="registry:2.8.3", description="the gateway's image registry")
    haproxy: Text = Field(default="haproxy:3.0", description="filter before the Docker socket of a node")
    studio_base: Text = Field(default="python:3.11-slim-bookworm", description="base image of the studio")
    door_base: Text = Field(default="python:3.11-slim-bookworm", description="base image of the door")


class Registry(Section):
    """The gateway's image registry."""

    port: Port = Field(default=5000, description="TCP port, on the private network only")


class Traefik(Section):
    """Both tiers of Traefik."""

    log_level: Literal["DEBUG", "INFO", "WARN", "ERROR"] = Field(
        default="INFO", description="least level that is logged"
    )
    read_timeout_s: Count = Field(
        default=300, description="seconds for a request to arrive; bounds the longest upload"
    )
    idle_timeout_s: Count = Field(default=180, description="seconds an idle client connection is kept")
    dial_timeout_s: Count = Field(default=5, description="seconds to connect to a node")
    grace_s: Seconds = Field(
        default=10, description="seconds that a stopped Traefik gives its open requests, as at a reboot"
    )
    drain_s: Seconds = Field(
        default=600,
        description="seconds that a replaced Traefik gives its open streams, while the new one serves",
    )
    health_interval_s: Count = Field(
        default=1, description="seconds between health checks of studios and nodes"
    )
    health_timeout_s: Count = Field(default=5, description="seconds after which a health check has failed")
    throttle_ms: Number = Field(
        default=200, description="milliseconds in which changes of containers are gathered"
    )
    dashboard_users: tuple[Text, ...] = Field(
        default=(), description="logins of the dashboard on the private network; none: no dashboard"
    )
    basic_auth_cost: Annotated[int, Field(ge=4, le=31, strict=True)] = Field(
        default=8, description="bcrypt cost of the dashboard's logins; each step doubles the time of a check"
    )
    hsts_s: Seconds = Field(default=31536000, description="seconds browsers insist on HTTPS")


class Door(Section):
    """Who may enter: sessions, keys, invitations, and what is remembered of them."""

    session_hours: Count = Field(default=168, description="hours a login with a password lasts")
    sign_on_hours: Count = Field(default=12, description="hours a login by single sign-on lasts")
    sign_on_trust_days: Count = Field(
        default=30, description="days after a sign-on for which that person's keys are good"
    )
    key_days: Count = Field(default=365, description="longest life of an API key, in days")
    invite_hours: Count = Field(default=72, description="hours an invitation to set a password is good for")
    audit_days: Count = Field(default=365, description="days the audit log is kept")
    external_image: Text | None = Field(
        default=None,
        description="image by digest in a registry of your own; none: built and kept on the gateway",
    )


class Backup(Section):
    """Encrypted backups of the gateway and of the projects' jobs, made by restic on the hosts themselves.

    What they are encrypted with is the secret `password` of [backup]: keep it outside of the site.
    """

    repository: ResticRepository | None = Field(
        default=None,
        description="where they go, as restic names it, off the gateway; ${NAME} is a secret of env; "
        "none: no backups",
    )
    env: tuple[Text, ...] = Field(
        default=(),
        description="names of the variables its storage reads; their values are secrets of [backup]",
    )
    ssh_key: File | None = Field(
        default=None, description="private key file for sftp:, put on every host; good for nothing else"
    )
    ssh_known_hosts: File | None = Field(default=None, description="file of the host keys that sftp: trusts")
    ca: File | None = Field(
        default=None, description="PEM file that signs the storage's HTTPS; none: a public authority"
    )
    at: TimeOfDay = Field(
        default="03:30", description="time of day, on each host's clock; each up to 20 min later"
    )
    keep_daily: Count = Field(default=14, description="days of which the last backup is kept")
    keep_weekly: Count = Field(default=8, description="weeks of which the last backup is kept")
    keep_monthly: Count = Field(default=12, description="months of which the last backup is kept")
    forget: Flag = Field(
        default=True,
        description="False: never forget a backup, for storage that only takes and has its own rules",
    )

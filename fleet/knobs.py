"""Every knob of a site, once: its type and unit, its default, and what turning it does.

An inventory overrides a knob under the same key, `"docker": {"mirrors": ["https://…"]}`.
`python -m fleet --knobs` prints this page as a table.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from fleet.quantities import (
    Count,
    Email,
    Endpoint,
    File,
    Flag,
    KeySource,
    Network,
    Number,
    Port,
    ResticRepository,
    Seconds,
    Sentence,
    Size,
    Text,
    TimeOfDay,
    Url,
)

LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"


class Section(BaseModel):
    """A part of the inventory: unknown keys are mistakes, and nothing changes after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Ssh(Section):
    """How one host is reached."""

    user: Text = Field(
        default="root", description="login; anyone but root works through sudo without a password"
    )
    port: Port = Field(default=22, description="TCP port of sshd; the firewall keeps this one open")
    key: File | None = Field(
        default=None, description="private key file; none: the agent and the usual ~/.ssh keys"
    )
    jump: Text | None = Field(
        default=None, description="host of this inventory to go through; none: straight"
    )
    address: Endpoint | None = Field(
        default=None, description="name or IP to dial where it is not the host's name"
    )


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


class Docker(Section):
    """Docker Engine of every host."""

    source: Literal["auto", "distribution", "docker"] = Field(
        default="auto",
        description="where Engine comes from; auto: the distribution's package where it knows CDI",
    )
    apt_url: Url = Field(
        default="https://download.docker.com/linux", description="Docker's package repository"
    )
    apt_key: KeySource = Field(
        default="https://download.docker.com/linux/debian/gpg",
        description="its signing key: a URL that the host fetches, or a file here",
    )
    mirrors: tuple[Url, ...] = Field(default=(), description="mirrors asked before Docker Hub")
    address_pool: Network = Field(
        default="10.201.0.0/16",
        validate_default=True,
        description="network that Docker cuts its /24 bridges from",
    )


class Nvidia(Section):
    """Driver and container toolkit of the GPU hosts."""

    branch: Count = Field(
        default=580, description="driver branch; changing it installs, reboots and verifies node by node"
    )
    apt_url: Url = Field(
        default="https://developer.download.nvidia.com/compute/cuda/repos",
        description="driver package repository",
    )
    apt_key: KeySource | None = Field(
        default=None,
        description="its signing key, URL or file here; none: the key in the repository of each release",
    )
    toolkit_url: Url = Field(
        default="https://nvidia.github.io/libnvidia-container/stable/deb",
        description="container toolkit repository",
    )
    toolkit_key: KeySource = Field(
        default="https://nvidia.github.io/libnvidia-container/gpgkey",
        description="its signing key, URL or file here",
    )
    toolkit_version: Text = Field(
        default="1.20.0-1", description="exact version; CVE-2026-24260 is fixed since 1.19.1"
    )


class Wireguard(Section):
    """The private network wg0 between gateway and nodes."""

    port: Port = Field(default=51820, description="UDP port of the gateway")
    network: Network = Field(
        default="10.88.0.0/24",
        validate_default=True,
        description="addresses: gateway .1, nodes .11, .12, … in order",
    )
    endpoint: Endpoint | None = Field(
        default=None, description="what nodes dial; none: the gateway's address or name"
    )
    keepalive_s: Seconds = Field(
        default=25, description="seconds between a node's keepalives, for those behind NAT"
    )


class Firewall(Section):
    """The site's own nftables table."""

    rollback_s: Count = Field(
        default=60, description="seconds until old rules return if SSH does not come back"
    )
    extra_tcp: tuple[Port, ...] = Field(
        default=(), description="further TCP ports to open to everyone on every host"
    )


class Operators(Section):
    """Who may log in to the hosts, besides root and the login of each `ssh`; ops/drift.py names others."""

    accounts: tuple[Text, ...] = Field(
        default=(), description="accounts of the hosts that may log in, and use sudo or Docker"
    )
    keys: tuple[Text, ...] = Field(
        default=(),
        description='fingerprints ("SHA256:…") of authorized keys, besides those this run comes with',
    )


class Studio(Section):
    """The studio image and its containers."""

    hub: Url = Field(default="https://huggingface.co", description="model hub that weights are fetched from")
    package_index: Url = Field(
        default="https://pypi.org/simple", description="Python package index of the image build"
    )
    torch_index: Url = Field(
        default="https://download.pytorch.org/whl/cu130", description="index that torch comes from"
    )
    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="what the engine computes on")
    streams: Count = Field(
        default=8,
        description="generations that one GPU speaks at once; each reserves its memory as it starts",
    )
    steps: Count | None = Field(
        default=None, description="denoising steps for each frame, 5 to 20 are usual; none: the model's own"
    )
    solver: Literal["dpmsolver++", "sde-dpmsolver++"] | None = Field(
        default=None,
        description="how noise becomes speech; sde is said to leave less music; none: the model's own",
    )
    stop_grace_s: Seconds = Field(
        default=12,
        description="seconds a stopping studio gives answers that are open; jobs go on in the next studio",
    )
    nodes_at_once: Count = Field(
        default=4,
        description="nodes whose studios are replaced at the same time; on each one after the other",
    )
    idle_minutes: Number = Field(
        default=30,
        description="minutes without a job after which the GPU's memory is given back; 0: never",
    )
    job_days: Count = Field(default=30, description="days that a finished job and its sound are kept")
    disk_reserve: Size = Field(
        default="1GiB",
        validate_default=True,
        description="disk of a node left free; jobs wait rather than take it",
    )
    disclaimer: Sentence | None = Field(
        default=None, description="sentence spoken before every job; none: nothing"
    )
    shm_size: Size = Field(
        default="1GiB", validate_default=True, description="shared memory of a studio container"
    )
    external_image: Text | None = Field(
        default=None,
        description="image by digest in a registry of your own; none: built and kept on the gateway",
    )


class Traefik(Section):
    """Both tiers of Traefik."""

    log_level: Literal["DEBUG", "INFO", "WARN", "ERROR"] = Field(
        default="INFO", description="least level that is logged"
    )
    read_timeout_s: Count = Field(
        default=300, description="seconds for a request to arrive; bounds the longest upload"
    )
    idle_timeout_s: Count = Field(default=180, description="seconds an idle client connection is kept")
    dial_timeout_s: Count = Field(default=5, description="seconds to connect to a node or a studio")
    grace_s: Seconds = Field(
        default=10,
        description="seconds that a replaced or stopped Traefik gives its open requests to end",
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


class Limits(Section):
    """What one project may use."""

    requests_per_s: Count = Field(default=100, description="requests a second, with bursts of twice as many")
    streams: Count = Field(
        default=32, description="generations and event streams at the same time, over all its studios"
    )
    upload: Size = Field(default="100MiB", validate_default=True, description="largest request body")
    minutes_per_day: Count | None = Field(
        default=None, description="minutes of speech a day (UTC); none: as many as the GPUs make"
    )
    jobs_waiting: Count = Field(default=100, description="jobs that wait for a GPU at the same time")
    minutes_per_job: Count = Field(default=120, description="minutes of speech of one job, as estimated")
    disk: Size = Field(
        default="50GiB",
        validate_default=True,
        description="disk of its jobs; beyond it the oldest that have ended are deleted",
    )


class Registry(Section):
    """The gateway's image registry."""

    port: Port = Field(default=5000, description="TCP port, on the private network only")


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

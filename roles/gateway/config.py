"""The gateway's Traefik configuration, rendered from the site. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from fleet import Site, names
from fleet.logins import htpasswd
from steps.files import render

DIRECTORY = "/etc/vibevoice/traefik"
CERTIFICATES = "/srv/vibevoice/certs"
STATUS = "127.0.0.1:8082"
# The door's own pages below /vibevoice/; every other path there begins with a project's name.
DOOR_PAGES = "/vibevoice", "/vibevoice/", "/vibevoice/login", "/vibevoice/logout"
DOOR_FOLDERS = "/vibevoice/auth/", "/vibevoice/door/"


@dataclass(frozen=True)
class Layout:
    """Where Traefik listens and what it finds where.

    Args:
        web, websecure, internal, door: addresses of the entry points.
        doors: addresses of the two doors.
        directory: holds traefik.yml and dynamic/.
        storage: ACME account and certificates, 0600.
        ca_certificate: PEM that signs the ACME server itself; None where a public CA does.
    """

    web: str
    websecure: str
    internal: str = STATUS
    door: str = names.DOOR_ENTRY
    doors: tuple[str, str] = names.DOOR_ADDRESSES
    directory: str = DIRECTORY
    storage: str = f"{CERTIFICATES}/acme.json"
    ca_certificate: str | None = None


def layout(site: Site) -> Layout:
    """Where the site's own gateway listens: on its public address, or on all of them."""
    address = site.gateway.address or ""
    return Layout(
        web=f"{bracketed(address)}:80",
        websecure=f"{bracketed(address)}:443",
        ca_certificate=f"{DIRECTORY}/acme-server-ca.pem" if site.acme.server_ca else None,
    )


def bracketed(address: str) -> str:
    """An address as it stands before a port."""
    return f"[{address}]" if ":" in address else address


def static(site: Site, where: Layout) -> str:
    """traefik.yml of the gateway."""
    knobs = site.traefik
    return render(
        "traefik/gateway/traefik.yml",
        domain=site.domain,
        web=where.web,
        websecure=where.websecure,
        internal=where.internal,
        door=where.door,
        directory=where.directory,
        storage=where.storage,
        ca_certificate=where.ca_certificate,
        email=site.acme.email,
        ca_server=site.acme.server,
        challenge=site.acme.challenge,
        dns_provider=site.acme.dns_provider,
        dashboard=str(bool(knobs.dashboard_users)).lower(),
        log_level=knobs.log_level,
        read_timeout_s=knobs.read_timeout_s,
        idle_timeout_s=knobs.idle_timeout_s,
        dial_timeout_s=knobs.dial_timeout_s,
        drain_s=knobs.drain_s,
        throttle_ms=knobs.throttle_ms,
    )


def dynamic(site: Site, where: Layout) -> str:
    """dynamic/site.yml: what every project shares. Holds the dashboard's password hashes."""
    pages = [f"Path(`{path}`)" for path in DOOR_PAGES] + [f"PathPrefix(`{path}`)" for path in DOOR_FOLDERS]
    doors = zip(names.DOORS, where.doors, strict=True)
    return render(
        "traefik/gateway/site.yml",
        domain=site.domain,
        door_pages=" || ".join(pages),
        doors=[{"name": name.removeprefix("vv-"), "url": f"http://{address}"} for name, address in doors],
        hsts_s=site.traefik.hsts_s,
        dashboard_users=[htpasswd(site, "dashboard", user) for user in site.traefik.dashboard_users],
    )

"""What a host needs for backups: restic's surroundings, the script, its units. Pure."""

from __future__ import annotations

import hmac
import shlex
from collections.abc import Sequence
from string import Template
from urllib.parse import urlsplit

from fleet import Gateway, Member, Site
from steps.files import File, render
from steps.options import Mistake

DIRECTORY = "/etc/vibevoice/backup"
SCRIPT = "/usr/local/lib/vibevoice/backup"
SERVICE, TIMER = "vibevoice-backup.service", "vibevoice-backup.timer"
UNITS = "/etc/systemd/system"
SRV = "/srv/vibevoice"
PACKAGES = ("restic", "sqlite3")
GATEWAY = "gateway"
SPARE_BYTES = 64 * 2**20


def kinds(site: Site, member: Member) -> list[str]:
    """What there is to back up on a host: the gateway itself, or the jobs of a node's projects."""
    if isinstance(member, Gateway):
        return [GATEWAY]
    return [project.name for project in site.projects_on(member.host)]


def which(site: Site, project: str, one: bool = False) -> str:
    """The project that an operator named, "all", or empty for the gateway. Raises Mistake.

    one: "all" is none that could be meant.
    """
    if site.backup.repository is None:
        raise Mistake(
            f"{site.file} does not say where backups go. Set backup.repository, and password below [backup] "
            "in the secrets (make knobs)."
        )
    known = [declared.name for declared in site.projects]
    if project and project not in known and (one or project != "all"):
        raise Mistake(f"project={project}: {site.file} has no such project. There are: {', '.join(known)}.")
    return project


def wanted(kinds: Sequence[str], project: str) -> list[str]:
    """Of what a host has, what is meant by a project's name, "all" (projects), or nothing: the gateway."""
    if project == "all":
        return [kind for kind in kinds if kind != GATEWAY]
    return [kind for kind in kinds if kind == (project or GATEWAY)]


def packages(site: Site) -> list[str]:
    """What a host needs installed."""
    sftp = (site.backup.repository or "").startswith("sftp:")
    return [*PACKAGES, *(["openssh-client"] if sftp else [])]


def files(site: Site, member: Member) -> list[File]:
    """All files of a host that makes backups."""
    knobs = site.backup
    given = {"ca.pem": knobs.ca, "ssh_key": knobs.ssh_key, "ssh_known_hosts": knobs.ssh_known_hosts}
    words = {"kinds": " ".join(kinds(site, member)), "at": knobs.at}
    return [
        *(
            File(f"{DIRECTORY}/{kind}.env", environment(site, kind), secret=True)
            for kind in kinds(site, member)
        ),
        *(
            File(f"{DIRECTORY}/{name}", file.read_bytes(), secret=True)
            for name, file in given.items()
            if file
        ),
        File(SCRIPT, script(site, member.host), mode="755"),
        File(f"{UNITS}/{SERVICE}", render(f"backup/{SERVICE}", **words)),
        File(f"{UNITS}/{TIMER}", render(f"backup/{TIMER}", **words)),
    ]


def strangers(site: Site, member: Member) -> str:
    """Shell that prints the secret files of what a host backed up once, such as a project that has moved."""
    mine = [word for kind in kinds(site, member) for word in ("!", "-name", f"{kind}.env")]
    return shlex.join(["find", DIRECTORY, "-name", "*.env", *mine, "-print"])


def environment(site: Site, kind: str) -> str:
    """What restic reads from its environment for the backups of one kind, for a shell. Holds secrets."""
    secrets = {name: site.secret("backup", name) for name in site.backup.env}
    variables = {
        **secrets,
        "RESTIC_REPOSITORY": Template(repository(site, kind)).substitute(secrets),
        "RESTIC_PASSWORD": password(site, kind),
        "RESTIC_CACHE_DIR": "/var/cache/restic",
        # As the inventory has it: without secrets.
        "WHERE": repository(site, kind),
    }
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())


def repository(site: Site, kind: str) -> str:
    """Where the backups of one kind go: each has a repository of its own, below the site's."""
    return f"{(site.backup.repository or '').rstrip('/')}/{kind}"


def password(site: Site, kind: str) -> str:
    """What the backups of one kind are encrypted with, made of the site's password.

    A host knows those of its own kinds alone: a node cannot read the keys of the gateway's door.
    """
    secret = site.secret("backup", "password")
    return hmac.new(secret.encode(), kind.encode(), "sha256").hexdigest()


def script(site: Site, host: str, *, etc: str = DIRECTORY, srv: str = SRV, run: str = "/run") -> str:
    """The host's backup program.

    Args:
        etc, srv, run: where its files are; elsewhere in tests.
    """
    place = site.backup.repository or ""
    return render(
        "backup/backup.sh",
        etc=etc,
        srv=srv,
        run=run,
        site=site.name,
        host=host,
        folder=shlex.quote(place) if place.startswith("/") else "",
        options=shlex.join(options(site)),
        keep=shlex.join(keep(site)) if site.backup.forget else "",
        spare_bytes=SPARE_BYTES,
    )


def options(site: Site) -> list[str]:
    """restic's options for every call."""
    found: list[str] = []
    if site.backup.ca:
        found += ["--cacert", f"{DIRECTORY}/ca.pem"]
    if (repository := site.backup.repository or "").startswith("sftp:"):
        found += ["-o", f"sftp.command={shlex.join(ssh(repository))}"]
    return found


def ssh(repository: str) -> list[str]:
    """How an sftp: repository is reached, by its own key and with nobody to ask.

    Of the two forms, sftp:user@host:/path and sftp://user@host:port//path, only the second has a port.
    """
    address = repository.removeprefix("sftp:")
    port = ""
    if address.startswith("//"):
        parts = urlsplit(f"sftp:{address}")
        user, host = parts.username, parts.hostname or ""
        login, port = (f"{user}@{host}" if user else host), str(parts.port or "")
    else:
        login = address.partition(":")[0]
    trust = {
        "IdentitiesOnly": "yes",
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": f"{DIRECTORY}/ssh_known_hosts",
        "ConnectTimeout": "20",
    }
    said = [token for name, value in trust.items() for token in ("-o", f"{name}={value}")]
    return ["ssh", "-i", f"{DIRECTORY}/ssh_key", *said, *(["-p", port] if port else []), login, "-s", "sftp"]


def keep(site: Site) -> list[str]:
    """restic's words for how long backups are kept."""
    knobs = site.backup
    return [
        *("--keep-daily", str(knobs.keep_daily)),
        *("--keep-weekly", str(knobs.keep_weekly)),
        *("--keep-monthly", str(knobs.keep_monthly)),
    ]


def paths() -> Sequence[str]:
    """Everything that `files` puts on a host."""
    return (DIRECTORY, SCRIPT, f"{UNITS}/{SERVICE}", f"{UNITS}/{TIMER}")

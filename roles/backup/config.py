"""What a host needs for backups: restic's surroundings, the script, its units. Pure."""

from __future__ import annotations

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
        File(f"{DIRECTORY}/env", environment(site), secret=True),
        *(
            File(f"{DIRECTORY}/{name}", file.read_bytes(), secret=True)
            for name, file in given.items()
            if file
        ),
        File(SCRIPT, script(site, member.host), mode="755"),
        File(f"{UNITS}/{SERVICE}", render(f"backup/{SERVICE}", **words)),
        File(f"{UNITS}/{TIMER}", render(f"backup/{TIMER}", **words)),
    ]


def environment(site: Site) -> str:
    """What restic reads from its environment, for a shell. Holds secrets."""
    secrets = {name: site.secret("backup", name) for name in site.backup.env}
    variables = {
        **secrets,
        "RESTIC_REPOSITORY": Template(site.backup.repository or "").substitute(secrets),
        "RESTIC_PASSWORD": site.secret("backup", "password"),
        "RESTIC_CACHE_DIR": "/var/cache/restic",
    }
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())


def script(site: Site, host: str, *, etc: str = DIRECTORY, srv: str = SRV, run: str = "/run") -> str:
    """The host's backup program.

    Args:
        etc, srv, run: where its files are; elsewhere in tests.
    """
    repository = site.backup.repository or ""
    return render(
        "backup/backup.sh",
        etc=etc,
        srv=srv,
        run=run,
        site=site.name,
        host=host,
        # As the inventory has it: without secrets.
        where=_in_quotes(repository),
        folder=shlex.quote(repository) if repository.startswith("/") else "",
        options=shlex.join(options(site)),
        keep=shlex.join(keep(site)) if site.backup.forget else "",
        spare_bytes=SPARE_BYTES,
    )


def _in_quotes(text: str) -> str:
    """Text as it is between double quotes of a shell."""
    for sign in '\\"$`':
        text = text.replace(sign, f"\\{sign}")
    return text


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

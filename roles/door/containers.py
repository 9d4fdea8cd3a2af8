"""The two containers of the door, and the shell that waits for them. Pure."""

from __future__ import annotations

import shlex

from fleet import Site, names
from roles.door.config import CONFIG, DATA, DIRECTORY, USER
from steps.containers import HARDENED, Container
from steps.traefik import STATUS

ANSWERS_WITHIN_S = 30
ADDRESSES: dict[str, str] = dict(zip(names.DOORS, names.DOOR_ADDRESSES, strict=True))
# Open requests end within seconds; the lame duck before that is 2.5 s.
STOP_TIMEOUT_S = 15


def door(site: Site, name: str, image: str) -> Container:
    """One of the two doors.

    Args:
        image: reference by digest.
    """
    address, _, port = ADDRESSES[name].partition(":")
    return Container(
        name=name,
        image=image,
        network="host",
        mounts=[f"{DIRECTORY}:{DIRECTORY}:ro", f"{DATA}:/data"],
        env={"DOOR_CONFIG": CONFIG, "DOOR_DATA": "/data", "DOOR_HOST": address, "DOOR_PORT": port},
        labels={"vibevoice.site": site.name},
        options=[
            *HARDENED,
            *("--user", f"{USER}:{USER}"),
            *("--stop-timeout", str(STOP_TIMEOUT_S)),
            *("--health-cmd", "python -I -S /opt/app/door/live.py", "--health-interval", "30s"),
        ],
    )


def until_it_answers(name: str) -> str:
    """Wait until a door answers and Traefik has it in rotation; else fail with the door's last words."""
    address = ADDRESSES[name]
    script = f"""\
deadline=$(($(date +%s) + {ANSWERS_WITHIN_S}))
until curl -fs -o /dev/null --max-time 2 http://{address}/health &&
    curl -fs --max-time 5 'http://{STATUS}/api/http/services?per_page=1000' | grep -q '"http://{address}":"UP"'
do
    if [ "$(date +%s)" -ge "$deadline" ]; then
        echo "{name} does not answer within {ANSWERS_WITHIN_S} s; its last lines:" >&2
        docker logs --tail 20 {name} >&2 2>&1
        exit 1
    fi
    sleep 0.2
done"""
    return f"sh -c {shlex.quote(script)}"


def known(digest: str) -> str:
    """Shell test: both doors have this configuration in force."""
    asks = (
        f"curl -fs --max-time 2 http://{address}/health | grep -q '\"{digest}\"'"
        for address in names.DOOR_ADDRESSES
    )
    return " && ".join(asks)


def until_known(digest: str) -> str:
    """Wait until both doors have this configuration in force; else fail with their last words."""
    logs = "; ".join(f"docker logs --tail 5 {name} >&2 2>&1" for name in names.DOORS)
    return (
        f"for try in $(seq 50); do {known(digest)} && exit 0; sleep 0.2; done; "
        f'echo "The doors did not take the new configuration; their last lines:" >&2; {logs}; exit 1'
    )


def probe(projects: list[str]) -> str:
    """Shell that prints a line a project: its name, and a key for its health that lives two minutes."""
    return ask("probe", *projects)


def ask(*arguments: str) -> str:
    """Shell that runs the door's own command in whichever of the two runs."""
    command = shlex.join(["python", "-m", "door", *arguments])
    return " || ".join(f"docker exec {name} {command} 2>/dev/null" for name in names.DOORS)

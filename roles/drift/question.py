"""The one shell script that a host is asked by; it looks, and changes nothing. Pure."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Iterable, Sequence

from fleet import Gateway, Member, Node, Site, images
from roles.door.containers import ask as ask_the_door
from roles.drift.declared import Declared
from roles.gateway.config import CERTIFICATES
from roles.nvidia.condition import SCRIPT as DRIVER
from roles.routes import DIRECTORY as WATCHED
from roles.studios import DOOR_KEY
from roles.studios.observe import Studios
from roles.verify.listening import SS
from roles.versions.history import PATH as VERSIONS
from roles.wireguard import CONF, KEY, TunnelFact
from steps.files import FileStates
from steps.images import digest_command
from steps.packages import PackageStates
from steps.traefik import STATUS

MARK = "==vv== "
PROPERTIES = "Id,LoadState,ActiveState,UnitFileState,NeedDaemonReload,FragmentPath,DropInPaths"

# Loaded into an empty network namespace of their own, the declared rules come back in nft's own words.
RULES = """\
nft -s list table inet vibevoice | sed 's/^/live /'
echo {rules} | base64 -d | unshare --net sh -c 'nft -f - && nft -s list table inet vibevoice' |
    sed 's/^/wanted /'"""

INSPECT = """\
docker ps -aq --no-trunc | xargs -r docker inspect --format 'container {{json .}}'
docker ps -aq --no-trunc | xargs -r docker inspect --format '{{.Image}}' | sort -u |
    xargs -r docker image inspect --format 'image {{json .}}'
docker network ls -q --filter label=vibevoice.project |
    xargs -r docker network inspect --format 'network {{json .}}'"""

# Public keys are no secret; of shadow's hashes only whether there is one.
PEOPLE = """\
getent passwd | sed 's/^/account /'
awk -F: '$2 == "" {print "open " $1}' /etc/shadow
for g in docker sudo wheel admin lxd disk; do getent group $g; done | sed 's/^/group /'
for f in /etc/sudoers $(ls /etc/sudoers.d | grep -v '[~.]' | sed 's,^,/etc/sudoers.d/,'); do
    [ ! -f "$f" ] || sed "s,^,sudo $f ," "$f"
done
patterns=$(sshd -T | sed -n 's/^authorizedkeysfile //p')
getent passwd | while IFS=: read -r user _ _ _ _ home _; do
    for pattern in ${patterns:-.ssh/authorized_keys}; do
        path=$(printf %s "$pattern" | sed "s,%h,$home,g; s,%u,$user,g")
        case $path in /*) ;; *) path=$home/$path ;; esac
        [ ! -f "$path" ] || sed "s,^,key $user $path ," "$path"
    done
done"""

DROP_INS = """\
for u in {units}; do
    for d in /etc/systemd /run/systemd; do
        ls -d "$d/system/$u.d/"*.conf
        ls -d "$d/system.control/$u.d/"*.conf
    done
done"""

SYSCTL = """\
for k in {keys}; do f=/proc/sys/$(echo "$k" | tr . /); [ ! -r "$f" ] || echo "$k = $(cat "$f")"; done"""

# Which of Traefik's watched files define a router.
FOLDER = f"""\
for f in {WATCHED}/*; do
    [ ! -f "$f" ] || if grep -q 'routers' "$f"; then echo "routes $f"; else echo "file $f"; fi
done"""

# The certificates alone: keys stand on lines of their own.
ACME = f"""sed -n 's/^ *"certificate": *"\\([^"]*\\)".*/\\1/p' {CERTIFICATES}/acme.json"""


def question(site: Site, member: Member, wanted: Declared) -> str:
    """What `sections` reads."""
    paths = (*(f.dest for f in wanted.files), *(d.path for d in wanted.folders), *wanted.present, KEY, CONF)
    units = (*wanted.running, *wanted.enabled)
    rules = base64.b64encode(wanted.rules.encode()).decode()
    parts = {
        "files": FileStates().command(paths),
        "watched": FOLDER,
        "tunnel": TunnelFact().command(),
        "units": f"systemctl show --property={PROPERTIES} -- {shlex.join(units)}",
        "drop-ins": DROP_INS.format(units=shlex.join(units)),
        "packages": PackageStates().command(wanted.held),
        "rules": RULES.format(rules=rules),
        "docker": INSPECT,
        "ports": SS,
        "routers": f"curl -fsS --max-time 5 'http://{STATUS}/api/http/routers?per_page=1000'",
        "services": f"curl -fsS --max-time 5 'http://{STATUS}/api/http/services?per_page=1000'",
        "people": PEOPLE,
        "sysctl": SYSCTL.format(keys=shlex.join(wanted.sysctl)),
    }
    parts |= _of_gateway(site) if isinstance(member, Gateway) else _of_node(site, member)
    # Each in a shell of its own: one that fails, or sets variables, is nothing to the others.
    return (
        "export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin\n"
        + "\n".join(
            f"echo '{MARK}{name}'\n(\n{script}\n) 2>/dev/null </dev/null"
            for name, script in parts.items()
            if script
        )
        + "\ntrue"
    )


def _of_gateway(site: Site) -> dict[str, str]:
    studio, door = images.studio(site), images.door(site)
    registry = site.registry_address
    return {
        "studio-image": "" if studio.external else digest_command(registry, studio.repository, studio.tag),
        "door-image": "" if door.external else digest_command(registry, door.repository, door.tag),
        "door-key": f"cat {DOOR_KEY}",
        "door-people": ask_the_door("people"),
        "acme": ACME,
        "last-version": f"tail -n 1 {VERSIONS}",
    }


def _of_node(site: Site, member: Node) -> dict[str, str]:
    image = images.studio(site)
    tag = "" if image.external else image.tag
    studios = Studios().command(site.name, site.registry_address, image.repository, tag)
    return {"studios": studios, "driver": DRIVER}


def sections(lines: Iterable[str]) -> dict[str, list[str]]:
    """The lines of each part of the answer."""
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line in lines:
        if line.startswith(MARK):
            current = found.setdefault(line.removeprefix(MARK).strip(), [])
        else:
            current.append(line)
    return found


def words(lines: Sequence[str], word: str) -> list[str]:
    """What stands behind `word` in the lines that begin with it."""
    return [line[len(word) + 1 :] for line in lines if line.startswith(f"{word} ") or line == word]

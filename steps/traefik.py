"""Dynamic configuration of a running Traefik: written, seen to be loaded, taken back where it is refused."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Sequence

from pyinfra import host
from pyinfra.api import operation

from steps.files import File, FileStates, back_up, backup, restore, write

STATUS = "127.0.0.1:8082"
WAIT_S = 20

# Traefik reads the whole folder whenever a file of it changes, so the file that is renamed into place last
# proves by answering that all others have been read. A folder with one unreadable file is not loaded at all.
MARKER = """\
# Says by answering that the files written with it are loaded.
http:
  routers:
    loaded-{part}:
      entryPoints: [internal]
      rule: "Path(`/loaded/{part}/{digest}`)"
      service: ping@internal
"""

CHECK = """\
ask() {{ curl -fsS --max-time 5 "http://{status}$1"; }}
fail() {{
    echo "$1" >&2
    docker logs --since {since}s {container} 2>&1 | grep -E '"level":"(error|fatal)"' | tail -n 5 >&2
    {restore}
    echo "The configuration before is back in place." >&2
    exit 1
}}
n=0
until ask /loaded/{part}/{digest} >/dev/null 2>&1; do
    n=$((n + 1))
    [ "$n" -lt {tries} ] || fail "Traefik ({container}) has not loaded the new {part} files in {wait} s."
    sleep 0.1
done
for kind in routers services; do
    wrong=$(ask "/api/http/$kind?status=disabled")$(ask "/api/http/$kind?status=warning")
    case $wrong in *'"name"'*) fail "Traefik ({container}) refuses $kind: $wrong" ;; esac
done
rm -f {backups}
"""


def marker(part: str, files: Sequence[File], directory: str) -> File:
    """The file that proves the others loaded; holds nothing but their hash."""
    return File(f"{directory}/loaded-{part}.yml", MARKER.format(part=part, digest=digest(files)))


def digest(files: Sequence[File]) -> str:
    """Hash of the files' names and contents."""
    content = "\0".join(f"{file.dest} {file.state}" for file in files)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


@operation()
def dynamic(part: str, files: Sequence[File], directory: str, container: str):
    """Have exactly these files loaded by the Traefik of a running container.

    Where Traefik does not load them, or loads them and disables a router or service, the files before are
    put back (it reloads those) and the operation fails with Traefik's own words.

    Args:
        part: what the files are, a word: "routes".
        files: of the watched folder.
        directory: the watched folder.
        container: the name of Traefik's container, for its log.
    """
    wanted = [*files, marker(part, files, directory)]
    states = host.get_fact(FileStates, paths=tuple(file.dest for file in wanted))
    if all(states.get(file.dest) == file.state for file in wanted):
        host.noop(f"the {part} configuration is loaded")
        return
    paths = [file.dest for file in wanted]
    yield "; ".join(map(back_up, paths))
    yield write(wanted)
    check = CHECK.format(
        status=STATUS,
        wait=WAIT_S,
        since=WAIT_S + 10,
        tries=WAIT_S * 10,
        part=part,
        digest=digest(files),
        container=shlex.quote(container),
        restore="; ".join(map(restore, paths)),
        backups=shlex.join(map(backup, paths)),
    )
    yield f"sh -c {shlex.quote(check)}"

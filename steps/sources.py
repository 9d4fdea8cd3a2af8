"""Foreign package repositories: a deb822 file and the key that signs them, compared in one round trip."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pyinfra import host
from pyinfra.api import StringCommand, operation

from steps.files import File, FileStates, write

KEYRINGS = "/etc/apt/keyrings"

# Signed-By wants a binary key under .gpg. Most vendors serve it armoured; awk and base64 are on every host,
# gpg is not. A .deb holds the key as a file.
FETCH = r"""set -e; umask 022; d=$(mktemp -d); trap 'rm -rf "$d"' EXIT
curl -fsSL --retry 3 --retry-connrefused -o "$d/got" -- {url}
case {url} in
*.deb) dpkg-deb --fsys-tarfile "$d/got" | tar -xO --wildcards './usr/share/keyrings/*.gpg' > "$d/raw";;
*) mv "$d/got" "$d/raw";; esac
if head -c 40 "$d/raw" | grep -q 'BEGIN PGP'; then
awk '/BEGIN PGP/ {{b=1; next}} b==1 && /^\r?$/ {{b=2; next}} /^=/ || /END PGP/ {{b=0}} b==2' "$d/raw" |
base64 -d -i > "$d/key"
else mv "$d/raw" "$d/key"; fi
test -s "$d/key"; install -D -m 644 "$d/key" {dest}"""


@dataclass(frozen=True)
class Source:
    """A package repository.

    Args:
        name: stem of the files under /etc/apt.
        uri, suites, components: as in sources.list(5); no components for a flat repository (suites "/").
        key: URL that the host fetches (a key or a keyring .deb), or a file on the operator's machine.
        architectures: restricts the repository; none: the host's own.
    """

    name: str
    uri: str
    suites: str
    key: str
    components: str = ""
    architectures: str = ""

    @property
    def fetches(self) -> bool:
        """Whether the host fetches the key itself."""
        return self.key.startswith(("http://", "https://"))

    @property
    def keyring(self) -> str:
        """Where the key lies; apt tells armoured from binary ones by the extension."""
        armoured = not self.fetches and b"-----BEGIN PGP" in Path(self.key).expanduser().read_bytes()[:200]
        return f"{KEYRINGS}/{self.name}{'.asc' if armoured else '.gpg'}"

    @property
    def file(self) -> File:
        """The deb822 file."""
        fields = {
            "Types": "deb",
            "URIs": self.uri,
            "Suites": self.suites,
            "Components": self.components,
            "Architectures": self.architectures,
            "Signed-By": self.keyring,
        }
        lines = [f"{key}: {value}\n" for key, value in fields.items() if value]
        return File(f"/etc/apt/sources.list.d/{self.name}.sources", "".join(lines))

    @property
    def files(self) -> list[File]:
        """What is written here: the deb822 file, and a key that lies on the operator's machine."""
        key = [] if self.fetches else [File(self.keyring, Path(self.key).expanduser().read_bytes())]
        return [self.file, *key]


@operation()
def sources(sources: Sequence[Source]):
    """Have these repositories and their keys; the key of a URL is fetched once."""
    files = [file for source in sources for file in source.files]
    fetched = [source for source in sources if source.fetches]
    paths = (*(source.keyring for source in fetched), *(file.dest for file in files))
    states = host.get_fact(FileStates, paths=paths)
    missing = [source for source in fetched if source.keyring not in states]
    changed = [file for file in files if states.get(file.dest) != file.state]
    for source in missing:
        script = FETCH.format(url=shlex.quote(source.key), dest=shlex.quote(source.keyring))
        yield StringCommand("sh", "-c", shlex.quote(script))
    if changed:
        yield write(changed)
    if not missing and not changed:
        host.noop("the repositories are known")

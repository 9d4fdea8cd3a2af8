"""Files, directories and links of a role, compared in one round trip and written in another."""

from __future__ import annotations

import base64
import hashlib
import io
import shlex
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pyinfra import host
from pyinfra.api import FactBase, StringCommand, operation

TEMPLATES = Path(__file__).resolve().parent.parent / "templates"

_environment = Environment(
    loader=FileSystemLoader(TEMPLATES),
    undefined=StrictUndefined,
    keep_trailing_newline=True,
    trim_blocks=True,
    lstrip_blocks=True,
    autoescape=False,
)


def render(template: str, **values: Any) -> str:
    """Render `templates/<template>` with finished values; an unknown name is an error."""
    return _environment.get_template(template).render(**values)


@dataclass(frozen=True)
class File:
    """A file as it has to be on the host.

    Args:
        dest: absolute path.
        content: the whole content.
        mode: octal, such as "644"; ignored where `secret` is set.
        user, group: owner names that exist on the host; numbers for the users of containers.
        secret: 0600 from its first byte on; its content is never shown.
    """

    dest: str
    content: str | bytes
    mode: str = "644"
    user: str = "root"
    group: str = "root"
    secret: bool = False

    @property
    def data(self) -> bytes:
        return self.content.encode() if isinstance(self.content, str) else self.content

    @property
    def state(self) -> str:
        """What `FileStates` reports when the file is as it should be."""
        mode = "600" if self.secret else self.mode.lstrip("0")
        return f"{hashlib.sha256(self.data).hexdigest()} {mode} {self.user} {self.group}"


@dataclass(frozen=True)
class Directory:
    """A directory as it has to be on the host; parents are made with default owner and mode."""

    path: str
    mode: str = "755"
    user: str = "root"
    group: str = "root"

    @property
    def state(self) -> str:
        return f"dir {self.mode.lstrip('0')} {self.user} {self.group}"


class FileStates(FactBase[dict[str, str]]):
    """`{path: "<sha256|dir|link target> <mode> <user> <group>"}` of those paths that exist."""

    def command(self, paths: Sequence[str]) -> str:
        # One shell for all paths: a round trip costs more than the hashing.
        loop = (
            'for p in "$@"; do '
            'if [ -L "$p" ]; then what=$(readlink "$p"); '
            'elif [ -d "$p" ]; then what=dir; '
            'elif [ -e "$p" ]; then what=$(sha256sum < "$p"); what=${what%% *}; '
            "else continue; fi; "
            'printf "%s\\t%s %s\\n" "$p" "$what" "$(stat -c "%a %U %G %u %g" "$p")"; done'
        )
        return f"set -- {shlex.join(paths)}; {loop}"

    @staticmethod
    def default() -> dict[str, str]:
        return {}

    def process(self, output: Iterable[str]) -> dict[str, str]:
        states = {}
        for line in output:
            path, separator, state = line.partition("\t")
            if separator:
                *what, user, group, uid, gid = state.split(" ")
                # The users of containers have numbers only.
                owner = (uid if user == "UNKNOWN" else user, gid if group == "UNKNOWN" else group)
                states[path] = " ".join((*what, *owner))
        return states


def _archive(files: Sequence[File]) -> str:
    """The files as a base64 tar, each under its final path with `.vv-new` appended."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for file in files:
            entry = tarfile.TarInfo(file.dest.lstrip("/") + ".vv-new")
            entry.size = len(file.data)
            entry.mode = 0o600 if file.secret else int(file.mode, 8)
            # By name where there is one: the numbers of names differ from host to host.
            if file.user.isdigit():
                entry.uid = int(file.user)
            else:
                entry.uname = file.user
            if file.group.isdigit():
                entry.gid = int(file.group)
            else:
                entry.gname = file.group
            tar.addfile(entry, io.BytesIO(file.data))
    return base64.b64encode(buffer.getvalue()).decode()


def write(files: Sequence[File]) -> StringCommand:
    """One command that puts the files in place: unpacked beside their targets, then renamed over them.

    The content travels on standard input: never in an argument, a log or a temporary file of another user.
    """
    parents = sorted({str(Path(file.dest).parent) for file in files})
    moves = " && ".join(f"mv -fT {shlex.quote(f.dest + '.vv-new')} {shlex.quote(f.dest)}" for f in files)
    unpack = "base64 -d | tar -xzpm --same-owner -C / -f -"
    script = f"umask 022; mkdir -p {shlex.join(parents)} && {unpack} && {moves}"
    return StringCommand("sh", "-c", shlex.quote(script), _stdin=_archive(files))


def backup(path: str) -> str:
    """Where a file's copy lies while its successor proves itself."""
    return f"{path}.vv-old"


def back_up(path: str) -> str:
    """Shell that keeps a copy of a file, or of there being none."""
    path, old = shlex.quote(path), shlex.quote(backup(path))
    return f"rm -f {old}; [ ! -e {path} ] || cp -a {path} {old}"


def restore(path: str) -> str:
    """Shell that puts back what `back_up` kept."""
    path, old = shlex.quote(path), shlex.quote(backup(path))
    return f"if [ -e {old} ]; then mv -fT {old} {path}; else rm -f {path}; fi"


@operation()
def place(files: Sequence[File]):
    """Write those of `files` that are missing or differ in content, mode or owner."""
    states = host.get_fact(FileStates, paths=tuple(file.dest for file in files))
    changed = [file for file in files if states.get(file.dest) != file.state]
    if changed:
        yield write(changed)
    else:
        host.noop("files are as they should be")


@operation()
def directories(directories: Sequence[Directory]):
    """Make the directories that are missing; set mode and owner where they differ."""
    states = host.get_fact(FileStates, paths=tuple(directory.path for directory in directories))
    commands = [
        f"install -d -m {d.mode} -o {shlex.quote(d.user)} -g {shlex.quote(d.group)} {shlex.quote(d.path)}"
        for d in directories
        if states.get(d.path) != d.state
    ]
    if commands:
        yield " && ".join(commands)
    else:
        host.noop("directories are as they should be")


@operation()
def absent(paths: Sequence[str]):
    """Remove files, links or whole directories that exist."""
    states = host.get_fact(FileStates, paths=tuple(paths))
    existing = [path for path in paths if path in states]
    if existing:
        yield f"rm -rf -- {shlex.join(existing)}"
    else:
        host.noop("nothing to remove")

"""What the little internet keeps on disk: folders that know what they were made from."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from lab.process import ALONE

_KEY = ".made-from"


def key(*parts: str | bytes | Path | Iterable[Path]) -> str:
    """Hash of everything a folder is made from: strings, files, and folders with all they hold."""
    digest = hashlib.sha256()
    for part in parts:
        for blob in _blobs(part):
            digest.update(hashlib.sha256(blob).digest())
    return digest.hexdigest()


def fresh(folder: Path, made_from: str) -> bool:
    """Whether ``folder`` is there, complete, and made from exactly this key."""
    try:
        return (folder / _KEY).read_text() == made_from
    except FileNotFoundError:
        return False


def keep(folder: Path, made_from: str, build: Callable[[Path], None]) -> bool:
    """Have ``folder`` built from this key: in a new folder that takes the old one's place when done.

    A build that fails or is killed leaves the old folder as it was. Returns whether it was built.
    """
    if fresh(folder, made_from):
        return False
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    build(unfinished)
    (unfinished / _KEY).write_text(made_from)
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)
    return True


class CommandFailed(RuntimeError):
    """A program of the machine failed; the message holds the end of what it printed."""


def command(
    *argv: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None,
    stdin: str | None = None, limit_s: float = 900.0, tries: int = 1,
) -> str:  # fmt: skip
    """Run a program to its end, and whatever it started, and return what it printed on standard output.

    tries: for what downloads; a failed run is repeated after 3, 6, … seconds.
    Raises CommandFailed. ``env`` replaces the environment.
    """
    words = [str(word) for word in argv]
    for left in range(tries - 1, -1, -1):
        try:
            return _run(words, cwd, env, stdin, limit_s)
        except CommandFailed:
            if not left:
                raise
            time.sleep(3.0 * (tries - left))
    raise ValueError("tries must be at least 1")


def _run(
    words: Sequence[str], cwd: Path | None, env: dict[str, str] | None, stdin: str | None, limit_s: float
) -> str:
    try:
        done = subprocess.run(
            [*ALONE, *words],
            cwd=cwd,
            env=env,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(f"{words[0]} did not end within {limit_s:.0f} s: {' '.join(words)}") from error
    if done.returncode != 0:
        tail = "\n".join((done.stderr or done.stdout).splitlines()[-15:])
        raise CommandFailed(f"{' '.join(words)} ended with {done.returncode}:\n{tail}")
    return done.stdout


def _blobs(part: str | bytes | Path | Iterable[Path]) -> Iterable[bytes]:
    if isinstance(part, bytes):
        yield part
    elif isinstance(part, str):
        yield part.encode()
    elif isinstance(part, Path):
        files = [part] if part.is_file() else sorted(p for p in part.rglob("*") if not _is_derived(p))
        for path in files:
            yield str(path.relative_to(part)).encode() + str(path.lstat().st_mode).encode()
            if path.is_symlink():
                yield str(path.readlink()).encode()
            elif path.is_file():
                yield path.read_bytes()
    else:
        for path in part:
            yield from _blobs(path)


def _is_derived(path: Path) -> bool:
    return path.is_dir() or "__pycache__" in path.parts

"""The identity of an image before it is built: a hash of everything that goes into it."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Mapping
from pathlib import Path


def _pattern(line: str) -> re.Pattern[str]:
    """A line of .dockerignore as a regular expression; a directory's pattern covers what is below it."""
    parts = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    tokens = re.split(r"(\*\*/|\*\*|\*|\?)", line.strip("/"))
    return re.compile("".join(parts.get(token, re.escape(token)) for token in tokens) + r"(?:/.*)?")


def files(directory: Path) -> list[Path]:
    """What a build of the directory sees, sorted; .dockerignore as Docker reads it."""
    ignore = directory / ".dockerignore"
    lines = ignore.read_text().splitlines() if ignore.exists() else []
    rules = [
        (line.startswith("!"), _pattern(line.removeprefix("!")))
        for line in map(str.strip, lines)
        if line and not line.startswith("#")
    ]

    def included(path: Path) -> bool:
        name = path.relative_to(directory).as_posix()
        # The Dockerfile is the builder's, whether or not the ignore file hides it from COPY.
        matching = [keep for keep, pattern in rules if pattern.fullmatch(name)]
        return name in ("Dockerfile", ".dockerignore") or not matching or matching[-1]

    return sorted(path for path in directory.rglob("*") if path.is_file() and included(path))


def digest(directory: Path, build_args: Mapping[str, str]) -> str:
    """Hash of a build context and its build arguments, 64 hex digits.

    Names, contents and the executable bit count; times and owners do not, so every checkout agrees.
    """
    total = hashlib.sha256(json.dumps(sorted(build_args.items())).encode())
    for path in files(directory):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{path.relative_to(directory)}\0{_mode(path):o}\0{content}\n".encode())
    return total.hexdigest()


def archive(directory: Path) -> bytes:
    """The build context as a gzipped tar, the same bytes for the same context."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for path in files(directory):
            entry = tarfile.TarInfo(path.relative_to(directory).as_posix())
            entry.size, entry.mode = path.stat().st_size, _mode(path)
            tar.addfile(entry, io.BytesIO(path.read_bytes()))
    return buffer.getvalue()


def _mode(path: Path) -> int:
    return 0o755 if path.stat().st_mode & 0o100 else 0o644

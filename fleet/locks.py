"""A weights lock: which files of which commit a model is, with their checksums."""

import json
import re
from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

COMMIT = r"^[0-9a-f]{40}$"
SHA256 = r"^[0-9a-f]{64}$"


class WrongLock(ValueError):
    """A lock file that cannot be used; its words follow "the file …, which"."""


class LockedFile(BaseModel):
    """One file of the model: path in the repository, size in bytes, checksum."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    size: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern=SHA256)]

    @field_validator("path")
    @classmethod
    def _stays_inside(cls, path: str) -> str:
        """A path is put below a folder on the host, so it must not lead out of it, nor be an option."""
        parts = PurePosixPath(path).parts
        if not re.fullmatch(r"[\w.][\w./+-]*", path) or ".." in parts or path.startswith("/"):
            raise ValueError("is no plain relative path")
        return path


class Lock(BaseModel):
    """A model pinned to one commit of its repository."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    repo: str
    revision: Annotated[str, Field(pattern=COMMIT)]
    files: Annotated[tuple[LockedFile, ...], Field(min_length=1)]

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files)

    @classmethod
    def read(cls, path: Path) -> "Lock":
        """The lock in a file. Raises WrongLock."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise WrongLock(f"is no weights lock ({where or 'the file'}: {first['msg']})") from None

    def write(self, path: Path) -> None:
        """Put the lock into a file, one file of the model a line, so that a change reads well in git."""
        text = f'"repo": {json.dumps(self.repo)},\n  "revision": "{self.revision}",\n  "files": [\n'
        files = ",\n".join(f"    {json.dumps(file.model_dump())}" for file in self.files)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{{\n  {text}{files}\n  ]\n}}\n")

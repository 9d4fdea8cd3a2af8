"""Files of the operator's machine that several runs may write at once."""

from __future__ import annotations

import secrets
from pathlib import Path


def write(path: Path, text: str, mode: int = 0o666) -> None:
    """Give the file this text, whole or not at all, and make its folder.

    A run beside this one reads the old or the new text, and each has its own file until then: with one name
    for both, the second to finish would find nothing to put into place.

    Args:
        mode: who may do what with it, less the umask.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        new.touch(mode, exist_ok=False)
        new.write_text(text, encoding="utf-8")
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise

"""Rendered files, compared with those kept beside the tests."""

from __future__ import annotations

from pathlib import Path

GOLDEN = Path(__file__).parent / "golden"


def same(name: str, text: str) -> bool:
    """Whether `text` is golden/<name>; where it is not, the new one lies beside it as <name>.new."""
    path = GOLDEN / name
    new = path.with_name(f"{path.name}.new")
    if path.exists() and path.read_text() == text:
        new.unlink(missing_ok=True)
        return True
    new.write_text(text)
    return False

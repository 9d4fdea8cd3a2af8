"""What the studio's image is called, computed from what it is built of. Pure."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from fleet import context
from fleet.models import REPO, Site

CONTEXT = REPO / "app" / "vibevoice"
REPOSITORY = "vibevoice"


def build_args(site: Site) -> dict[str, str]:
    """Build arguments: base image, and the indexes that packages come from."""
    return {
        "BASE": qualified(site.images.studio_base),
        "PACKAGE_INDEX": site.studio.package_index,
        "TORCH_INDEX": site.studio.torch_index,
    }


def tag(site: Site) -> str:
    """The image's tag: the first twelve digits of its context's hash."""
    return _digest(CONTEXT, tuple(sorted(build_args(site).items())))[:12]


def qualified(image: str) -> str:
    """An image's full name; builders, unlike Docker, do not guess where a short one lives."""
    first, slash, _ = image.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return image
    return f"docker.io/{image}" if slash else f"docker.io/library/{image}"


@cache
def _digest(directory: Path, args: tuple[tuple[str, str], ...]) -> str:
    return context.digest(directory, dict(args))

"""The images that the site builds: what they are called, computed from what they are built of. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fleet import context
from fleet.models import REPO, Site

APP = REPO / "app"


@dataclass(frozen=True)
class Image:
    """An image of the site.

    Args:
        repository: its name in the gateway's registry.
        context: the folder it is built of.
        args: build arguments: base image, and the indexes that packages come from.
        external: reference by digest where the inventory names it, and nothing is built.
    """

    repository: str
    context: Path
    args: tuple[tuple[str, str], ...]
    external: str | None = None

    @property
    def tag(self) -> str:
        """The first twelve digits of its context's hash."""
        return _digest(self.context, self.args)[:12]

    def reference(self, site: Site, digest: str) -> str:
        """What containers are started from: by digest, so that a tag moved later changes nothing."""
        return self.external or f"{site.registry_address}/{self.repository}@{digest or 'not-built-yet'}"


def studio(site: Site) -> Image:
    """The studio's image."""
    args = (
        ("BASE", qualified(site.images.studio_base)),
        ("PACKAGE_INDEX", site.studio.package_index),
        ("TORCH_INDEX", site.studio.torch_index),
    )
    return Image("vibevoice", APP / "vibevoice", args, site.studio.external_image)


def door(site: Site) -> Image:
    """The door's image."""
    args = (("BASE", qualified(site.images.door_base)), ("PACKAGE_INDEX", site.studio.package_index))
    return Image("door", APP / "door", args, site.door.external_image)


def built(site: Site) -> list[Image]:
    """Those that the site builds, the quickest first."""
    return [image for image in (door(site), studio(site)) if not image.external]


def qualified(image: str) -> str:
    """An image's full name; builders, unlike Docker, do not guess where a short one lives."""
    first, slash, _ = image.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return image
    return f"docker.io/{image}" if slash else f"docker.io/library/{image}"


@cache
def _digest(directory: Path, args: tuple[tuple[str, str], ...]) -> str:
    return context.digest(directory, dict(args))

"""The images of studio and door: built once, on the gateway, and kept in its registry."""

from __future__ import annotations

import base64
import shlex

from pyinfra import host
from pyinfra.api import StringCommand, deploy, operation

from fleet import Gateway, Site, context, images
from fleet.images import Image
from steps.files import File, place, render
from steps.images import ImageDigest
from steps.packages import packages
from steps.platform import platform


@deploy("Image")
def image(site: Site, member: Gateway) -> None:
    """Build and push the site's images where the registry lacks them."""
    wanted = images.built(site)
    if not wanted:
        return
    # From 1.39 on buildah starts only where netavark is, whatever network it is told to use.
    network = ["netavark"] if platform().release == "debian13" else []
    packages(name="Install the image builder", packages=["buildah", *network])
    place(
        name="Tell the builder about mirrors and registry",
        files=[File("/etc/containers/registries.conf.d/50-vibevoice.conf", registries(site))],
    )
    for one in host.loop(wanted):
        build(name=f"Build the image {one.repository}", site=site, image=one)


def registries(site: Site) -> str:
    """registries.conf of the builder."""
    mirrors = [
        {"location": url.split("://", 1)[1].rstrip("/"), "insecure": str(url.startswith("http://")).lower()}
        for url in site.docker.mirrors
    ]
    return render("image/registries.conf", mirrors=mirrors, registry=site.registry_address)


@operation()
def build(site: Site, image: Image):
    """Build the context into an image and push it; nothing where the registry has its tag.

    The tag is a hash of the context, so whether there is something to do is known without building.
    """
    registry = site.registry_address
    if host.get_fact(ImageDigest, registry=registry, repository=image.repository, tag=image.tag):
        host.noop(f"the registry has {image.repository}:{image.tag}")
        return
    script = render(
        "image/build.sh",
        reference=shlex.quote(f"{registry}/{image.repository}:{image.tag}"),
        arguments=shlex.join(f"--build-arg={key}={value}" for key, value in image.args),
    )
    yield StringCommand(
        "sh",
        "-c",
        shlex.quote(script),
        _stdin=base64.b64encode(context.archive(image.context)).decode(),
    )

"""The images of studio and door: built once, on the gateway, and kept in its registry."""

from __future__ import annotations

import base64
import shlex

from pyinfra import host, inventory, state
from pyinfra.api import StringCommand, deploy, operation

from fleet import Gateway, Site, context, images
from fleet.images import Image
from steps.files import File, place, render
from steps.images import ImageDigest, missing_layers
from steps.packages import packages
from steps.platform import platform
from steps.shell import Output, Succeeds


@deploy("Image")
def image(site: Site, member: Gateway) -> None:
    """Build and push the site's images where the registry lacks them."""
    wanted = images.built(site)
    if not wanted:
        return
    # From 1.39 on buildah starts only where netavark is, whatever network it is told to use.
    network = ["netavark"] if platform().release == "debian13" else []
    packages(name="Install the image builder", packages=["buildah", *network])
    place(name="Tell the builder about mirrors and registry", files=files(site))
    for one in host.loop(wanted):
        build(name=f"Build the image {one.repository}", site=site, image=one)


def files(site: Site) -> list[File]:
    """What the builder reads; none where nothing is built."""
    if not images.built(site):
        return []
    return [File("/etc/containers/registries.conf.d/50-vibevoice.conf", registries(site))]


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
    asked = {"registry": registry, "repository": image.repository, "tag": image.tag}
    digest = host.get_fact(ImageDigest, **asked)
    if digest and not (_incomplete(asked) and _wanting(site, image.reference(site, digest))):
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


def _incomplete(asked: dict[str, str]) -> bool:
    """Whether the registry names an image without having it, as a restored one does (roles/backup)."""
    return bool(host.get_fact(Output, script=missing_layers(**asked)))


def _wanting(site: Site, reference: str) -> bool:
    """Whether a node of this run would have to pull that image. Where none would, nothing is to be built."""
    nodes = [inventory.get_host(node.host) for node in site.nodes if site.projects_on(node.host)]
    here = [node for node in nodes if node in state.inventory.get_active_hosts()]
    has = f"docker image inspect {shlex.quote(reference)}"
    return not all(node.get_fact(Succeeds, test=has) for node in here)

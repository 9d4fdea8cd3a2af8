"""Images in the site's registry, asked for by tag and started by digest."""

from __future__ import annotations

import shlex

from pyinfra.api import FactBase

# Both kinds of manifest that builders push; without them a registry answers with an old format's digest.
ACCEPT = (
    "Accept: application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
)


def digest_command(registry: str, repository: str, tag: str) -> str:
    """A shell command that prints an image's digest, and nothing where the registry does not have it."""
    url = f"http://{registry}/v2/{repository}/manifests/{tag}"
    return (
        f"curl -fsSI --max-time 10 -H {shlex.quote(ACCEPT)} {shlex.quote(url)} 2>/dev/null "
        "| tr -d '\\r' | sed -n 's/^[Dd]ocker-[Cc]ontent-[Dd]igest: //p'"
    )


def missing_layers(registry: str, repository: str, tag: str) -> str:
    """A shell command that prints the layers (and the configuration) that a registry names but lacks."""
    url = f"http://{registry}/v2/{repository}"
    manifest = shlex.quote(f"{url}/manifests/{tag}")
    return (
        f"curl -fsS --max-time 10 -H {shlex.quote(ACCEPT)} {manifest} 2>/dev/null "
        "| grep -o '\"digest\":\"sha256:[0-9a-f]*' | cut -d '\"' -f 4 | sort -u | while read -r digest; do "
        f'curl -fsSI --max-time 10 "{url}/blobs/$digest" >/dev/null 2>&1 || echo "$digest"; done'
    )


class ImageDigest(FactBase[str]):
    """`sha256:…` of a tag in a registry; empty where it, or the registry, is not there yet."""

    def command(self, registry: str, repository: str, tag: str) -> str:
        return digest_command(registry, repository, tag)

    @staticmethod
    def default() -> str:
        return ""

    def process(self, output: list[str]) -> str:
        return output[0].strip() if output else ""

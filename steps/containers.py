"""Containers of the site's own services, recreated when anything in their specification changes.

pyinfra's docker.container never notices a changed image, environment or mount: it only asks whether a
container of that name exists. Here the whole specification is hashed into a label, and a difference
recreates the container.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from pyinfra import host
from pyinfra.api import FactBase, operation

SPEC_LABEL = "vibevoice.spec"

# What every container of the site starts from: no right, nothing writable but /tmp, no way to more.
HARDENED = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")


@dataclass(frozen=True)
class Container:
    """Everything that defines a container.

    Args:
        name: its name on the host.
        image: reference, pinned by tag or digest.
        command: arguments after the image.
        network: docker network, or "host", or "none".
        mounts: `-v` entries, such as "/etc/x:/etc/x:ro".
        labels, env: as they are named.
        options: further `docker create` options, one token per element.
        also: whatever else has to bring a new container when it changes, such as hashes of mounted files.
    """

    name: str
    image: str
    command: Sequence[str] = ()
    network: str = "none"
    mounts: Sequence[str] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    options: Sequence[str] = ()
    also: Sequence[str] = ()

    @property
    def spec(self) -> str:
        """Hash of the whole specification."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:12]

    @property
    def arguments(self) -> list[str]:
        """`docker create` and everything after it."""
        return self.arguments_as(self.name)

    def arguments_as(self, name: str) -> list[str]:
        """The same, under another name."""
        tokens = ["docker", "create", "--name", name, "--network", self.network]
        tokens += ["--restart", "unless-stopped"]
        for mount in self.mounts:
            tokens += ["-v", mount]
        for key, value in sorted(self.env.items()):
            tokens += ["-e", f"{key}={value}"]
        for key, value in sorted({**self.labels, SPEC_LABEL: self.spec}.items()):
            tokens += ["--label", f"{key}={value}"]
        return [*tokens, *self.options, self.image, *self.command]


class ContainerState(FactBase[tuple[str, str] | None]):
    """`(status, spec label)` of a container; None where it, or Docker itself, does not exist yet."""

    def command(self, container: str) -> str:
        # Docker may be missing or down while a run is being planned: that is "no container", not a failure.
        return (
            f"docker inspect --type container --format "
            f"'{{{{.State.Status}}}} {{{{index .Config.Labels \"{SPEC_LABEL}\"}}}}' "
            f"{shlex.quote(container)} 2>/dev/null || true"
        )

    def process(self, output: list[str]) -> tuple[str, str] | None:
        words = " ".join(output).split()
        return (words[0], words[1] if len(words) > 1 else "") if words else None


@operation()
def container(spec: Container):
    """Have exactly this container running: created, recreated on any difference, started where it stopped."""
    state = host.get_fact(ContainerState, container=spec.name)
    if state is not None and state[1] == spec.spec:
        if state[0] == "running":
            host.noop(f"{spec.name} runs as specified")
        else:
            yield f"docker start {shlex.quote(spec.name)}"
        return
    # Pulled before the old one goes: a failed pull must not take the service down.
    image = shlex.quote(spec.image)
    yield f"docker image inspect {image} >/dev/null 2>&1 || docker pull -q {image}"
    if state is not None:
        yield f"docker stop {shlex.quote(spec.name)} && docker rm {shlex.quote(spec.name)}"
    yield shlex.join(spec.arguments)
    yield f"docker start {shlex.quote(spec.name)}"


@operation()
def container_absent(container: str):
    """Stop and remove a container where it exists."""
    if host.get_fact(ContainerState, container=container) is None:
        host.noop(f"{container} is absent")
        return
    yield f"docker stop {shlex.quote(container)}; docker rm -f {shlex.quote(container)}"

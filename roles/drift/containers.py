"""Containers: those that are declared, as they are declared, and no others. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fleet import Node, Site, names
from roles.drift.finding import Finding, Kind, deploy
from roles.drift.shape import Shape, of_arguments, of_inspect
from roles.studios.observe import Observed
from roles.studios.plan import occupied
from roles.studios.spec import Studio
from steps.containers import SPEC_LABEL, Container

# They follow from image, devices and specification, and are named where nothing else explains them.
DERIVED = (SPEC_LABEL, "vibevoice.image", "vibevoice.revision")
ENDED = ("exited", "created", "paused", "dead")


@dataclass(frozen=True)
class Live:
    """A container that exists; `image` is what `docker image inspect` says of its image."""

    name: str
    status: str
    healthy: bool
    shape: Shape
    image: Mapping[str, Any]

    @property
    def serves(self) -> bool:
        """Whether Traefik's Docker provider takes it up."""
        return self.status == "running" and self.healthy


@dataclass(frozen=True)
class Wanted:
    """A container that shall exist: its name, `docker create …`, and the name under which it is found now."""

    name: str
    arguments: Sequence[str]
    holder: str


def read(lines: Iterable[str]) -> tuple[dict[str, Live], dict[str, Mapping[str, Any]]]:
    """Containers and project networks by name, from the lines of the question's part `docker`."""
    rows: dict[str, list[dict[str, Any]]] = {"container": [], "image": [], "network": []}
    for line in lines:
        word, _, rest = line.partition(" ")
        if word in rows:
            rows[word].append(json.loads(rest))
    images = {image["Id"]: image for image in rows["image"]}
    found = [_live(one, images.get(one["Image"], {})) for one in rows["container"]]
    return {one.name: one for one in found}, {one["Name"]: one for one in rows["network"]}


def _live(container: Mapping[str, Any], image: Mapping[str, Any]) -> Live:
    state = container["State"]
    return Live(
        name=container["Name"].lstrip("/"),
        status=state["Status"],
        healthy=(state.get("Health") or {}).get("Status", "healthy") == "healthy",
        shape=of_inspect(container, image),
        image=image,
    )


def wanted(services: Iterable[Container], studios: Mapping[int, Studio], observed: Observed) -> list[Wanted]:
    """What a host shall hold: a studio is whatever holds its slot, under whatever name."""
    own = [Wanted(one.name, one.arguments, one.name) for one in services]
    holders = occupied(observed.containers)
    for slot, studio in sorted(studios.items()):
        holder = holders.get(slot)
        name = holder.name if holder and holder.project == studio.project else studio.name
        own.append(Wanted(studio.name, studio.arguments, name))
    return own


def findings(host: str, wanted: Sequence[Wanted], live: Mapping[str, Live], drained: bool) -> list[Finding]:
    """What differs. `drained`: its studios are stopped, because an operator said so."""
    found = [
        finding
        for one in wanted
        for finding in (
            _compare(host, one, live[one.holder], drained)
            if one.holder in live
            else _absent(host, one, drained)
        )
    ]
    return [*found, *_extra(host, {one.holder for one in wanted}, live)]


def _extra(host: str, known: set[str], live: Mapping[str, Live]) -> list[Finding]:
    return [
        Finding(
            "extra container",
            host,
            one.name,
            f"{one.status}, from {one.shape.image}",
            "absent",
            f"docker rm -f {one.name}"
            if "vibevoice.project" not in one.shape.labels
            else f"docker stop {one.name} && docker rm {one.name}",
        )
        for one in live.values()
        if one.name not in known and not _leaves(one, known)
    ]


def _leaves(one: Live, known: set[str]) -> bool:
    """Whether it is a Traefik that drains its last streams, or one on trial, for seconds both."""
    former = re.fullmatch(r"(.+)-(?:old-[0-9a-f]{12}|new)", one.name)
    whose = former[1] if former else ""
    return one.status == "running" and whose in known and whose in (names.TRAEFIK, names.NODE_PROXY)


def _absent(host: str, one: Wanted, drained: bool) -> list[Finding]:
    if drained and _is_studio(one.arguments):
        return []
    return [Finding("specification", host, one.name, "absent", "running", deploy(host))]


def _is_studio(arguments: Sequence[str]) -> bool:
    return any(argument.startswith("vibevoice.project=") for argument in arguments)


def _compare(host: str, one: Wanted, live: Live, drained: bool) -> list[Finding]:
    shape = of_arguments(one.arguments, live.image)
    heals = live.shape.labels.get(SPEC_LABEL) != shape.labels[SPEC_LABEL]
    by_hand = f"docker stop {live.name} && docker rm {live.name}, then {deploy(host)}"
    remedy = deploy(host) if heals else by_hand

    def row(kind: Kind, what: str, found: str, wish: str) -> Finding:
        return Finding(kind, host, f"{live.name}{what}", found or "none", wish or "none", remedy)

    rows = []
    if shape.image != live.shape.image and shape.image not in live.shape.digests:
        rows.append(row("image", "", live.shape.image, shape.image))
    if shape.devices != live.shape.devices:
        rows.append(row("device", "", " ".join(live.shape.devices), " ".join(shape.devices)))
    rows += [
        row("specification", f": {key}", found, wish) for key, found, wish in _options(shape, live.shape)
    ]
    rows += [row("label", f": {key}", *values) for key, *values in _labels(shape, live.shape, bool(rows))]
    if not rows and heals:
        spec = live.shape.labels.get(SPEC_LABEL, "")
        rows.append(row("specification", "", spec, shape.labels[SPEC_LABEL]))
    if not rows and one.name != live.name:
        rename = f"docker rename {live.name} {one.name}"
        rows.append(Finding("specification", host, live.name, "another name", one.name, rename))
    if live.status in ENDED and not (drained and _is_studio(one.arguments)):
        start = "docker unpause" if live.status == "paused" else "docker start"
        rows.append(Finding("specification", host, live.name, live.status, "running", f"{start} {live.name}"))
    return rows


def _options(wish: Shape, live: Shape) -> list[tuple[str, str, str]]:
    rows = [
        (key, live.options[key], value) for key, value in wish.options.items() if live.options[key] != value
    ]
    # A variable may hold anything: its name says enough.
    for key in sorted({*wish.env, *live.env}):
        if wish.env.get(key) != live.env.get(key):
            found = "unset" if key not in live.env else "another value" if key in wish.env else "set"
            rows.append((f"variable {key}", found, "set" if key in wish.env else "unset"))
    return rows


def _labels(wish: Shape, live: Shape, explained: bool) -> list[tuple[str, str, str]]:
    keys = sorted(key for key in {*wish.labels, *live.labels} if wish.labels.get(key) != live.labels.get(key))
    # A label that routes is part of the specification, and explains its hash.
    plain = [key for key in keys if key not in DERIVED]
    derived = [key for key in keys if key in DERIVED[1:] and not explained]
    return [(key, live.labels.get(key, ""), wish.labels.get(key, "")) for key in (*plain, *derived)]


def networks(site: Site, node: Node, live: Mapping[str, Mapping[str, Any]]) -> list[Finding]:
    """A project's network without a way out is part of what its studios are."""
    rows = []
    for project in site.projects_on(node.host):
        network = live.get(names.network(project.name))
        if network is None:
            continue
        remedy = (
            f"docker stop and docker rm its studios, docker network rm {network['Name']}, {deploy(node.host)}"
        )
        isolated = network["Options"].get("com.docker.network.bridge.enable_icc") == "false"
        for wrong, found, wish in (
            (not network["Internal"], "has a way out", "internal"),
            (not isolated, "its containers reach each other", "isolated from each other"),
        ):
            if wrong:
                what = f"network {network['Name']}"
                rows.append(Finding("specification", node.host, what, found, wish, remedy))
    return rows

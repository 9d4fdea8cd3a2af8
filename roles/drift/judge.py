"""All findings of a host, from what it answered. Pure, but for the keys of the operator's own machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fleet import Gateway, Member, Node, Site, names
from roles.drift import containers, files, network, packages, people, traefik, units
from roles.drift.declared import Declared, services
from roles.drift.finding import Finding
from roles.nvidia.condition import read as read_condition
from roles.nvidia.driver import gpus
from roles.studios import wanted as studios_wanted
from roles.studios.observe import Observed
from roles.studios.observe import read as read_studios
from roles.studios.plan import occupied
from roles.versions.history import Damaged, Version
from roles.versions.history import read as read_versions
from roles.wireguard import Tunnel, TunnelFact
from steps.files import FileStates
from steps.packages import PackageStates
from steps.platform import Platform
from steps.units import properties


@dataclass(frozen=True)
class Look:
    """A host that answered: what it is and shall have, the parts of its answer, the keys that open it."""

    member: Member
    here: Platform
    declared: Declared
    parts: Mapping[str, list[str]]
    keys: frozenset[str]

    def part(self, name: str) -> list[str]:
        """Lines of a part; none where the host had nothing to say."""
        return self.parts.get(name, [])

    @property
    def tunnel(self) -> Tunnel:
        return TunnelFact().process(self.part("tunnel"))


@dataclass(frozen=True)
class Common:
    """What one host needs to know of another.

    Args:
        wg_keys: public keys by host, as far as they answered.
        gateway: whether the gateway answered. studio_digest, door_digest, door_key: what it said.
        returned: the version that a rollback went back to; None where the last one was a deploy's.
    """

    wg_keys: Mapping[str, str]
    gateway: bool = False
    studio_digest: str = ""
    door_digest: str = ""
    door_key: str = ""
    returned: Version | None = None


def common(site: Site, looks: Mapping[str, Look]) -> Common:
    """What the hosts that answered know of each other."""
    wg_keys = {host: key for host, look in looks.items() if (key := look.tunnel.public_key)}
    gateway = looks.get(site.gateway.host)
    if gateway is None:
        return Common(wg_keys)
    studio, door, key = (
        " ".join(gateway.part(p)).strip() for p in ("studio-image", "door-image", "door-key")
    )
    return Common(wg_keys, True, studio, door, key, _returned(gateway))


def _returned(gateway: Look) -> Version | None:
    try:
        last = read_versions(gateway.part("last-version"))[-1:]
    except Damaged:
        return None
    return next((version for version in last if version.action != "deploy"), None)


def judge(site: Site, look: Look, shared: Common) -> list[Finding]:
    """Everything that differs on a host."""
    member, declared, host = look.member, look.declared, look.member.host
    states = FileStates().process(look.part("files"))
    live, nets = containers.read(look.part("docker"))
    wanted = _containers(site, look, shared, live)
    proxy = names.TRAEFIK if isinstance(member, Gateway) else names.NODE_PROXY
    table = traefik.live(look.part("routers"), look.part("services"))
    drained = isinstance(member, Node) and bool(_observed(look).drained)
    rows = [
        *containers.findings(host, wanted, live, drained),
        *files.findings(host, declared, states),
        *files.watched(host, declared, look.part("watched")),
        *files.wireguard(site, member, shared.wg_keys, look.tunnel, states),
        *units.findings(host, declared, properties(look.part("units")), look.part("drop-ins")),
        *packages.holds(host, declared, PackageStates().process(look.part("packages"))),
        *network.firewall(host, look.part("rules")),
        *network.ports(site, member, look.part("ports")),
        *traefik.findings(
            host, proxy, table, traefik.of_files(declared.watched, declared.static), wanted, live
        ),
        *people.findings(site, member, look.part("people"), look.keys),
        *network.sysctl(host, declared, look.part("sysctl")),
    ]
    if isinstance(member, Gateway):
        return [*rows, *people.door(site, look.part("door-people"))]
    return [*rows, *containers.networks(site, member, nets), *_driver(look, member)]


def _observed(look: Look) -> Observed:
    return read_studios(look.part("studios"))


def _containers(
    site: Site, look: Look, shared: Common, live: Mapping[str, containers.Live]
) -> list[containers.Wanted]:
    own = services(site, look.member, shared.door_digest)
    if not isinstance(look.member, Node):
        return containers.wanted(own, {}, Observed())
    observed = _observed(look)
    if len(observed.uuids) < look.member.gpus:
        # A driver that names no GPU is a finding of its own; the studios then have what they were given.
        observed = replace(observed, uuids=_given(look.member, observed, live))
    if shared.gateway:
        # The registry's own host knows; a node may just not reach it.
        observed = replace(observed, digest=shared.studio_digest)
    # A gateway that does not answer cannot say which key its door signs with: the studios' own then counts.
    key = shared.door_key or next(
        (one.shape.env["VV_DOOR_KEY"] for one in live.values() if one.shape.env.get("VV_DOOR_KEY")), ""
    )
    studios = studios_wanted(site, look.member, observed, key)
    if shared.returned:
        # What an operator went back to is what shall run, until the next deploy.
        studios |= {
            studio.slot: studio
            for project in shared.returned.projects.values()
            for studio in project.studios
            if project.node == look.member.host
            and studio.slot in studios
            and studios[studio.slot].project == studio.project
        }
    return containers.wanted(own, studios, observed)


def _given(node: Node, observed: Observed, live: Mapping[str, containers.Live]) -> tuple[str, ...]:
    """The GPU of each slot as far as a studio holds it."""
    devices = {
        slot: device.removeprefix("nvidia.com/gpu=")
        for slot, found in occupied(observed.containers).items()
        for device in live[found.name].shape.devices[:1]
    }
    return tuple(devices.get(slot, f"slot-{slot}") for slot in range(node.gpus))


def _driver(look: Look, node: Node) -> Sequence[Finding]:
    states = PackageStates().process(look.part("packages"))
    condition = read_condition(look.part("driver"))
    return packages.driver(node.host, node, look.declared, states, condition, len(gpus(look.here.nvidia)))

"""What a host shall have, from the same functions that the roles place it with. Pure.

The one list of the roles that place something: whoever adds a role adds its line here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fleet import Gateway, Member, Node, Site, images, names
from roles import base, docker, door, firewall, gateway, image, node_proxy, nvidia, routes, watch
from roles.backup import config as backup
from roles.base import SYSCTL
from roles.docker import engine
from roles.door import config as door_config
from roles.door import containers as door_containers
from roles.firewall.rules import rules
from roles.gateway import config as gateway_config
from roles.nvidia.driver import DriverError
from roles.nvidia.plan import Plan
from roles.nvidia.plan import plan as driver_plan
from roles.wireguard import UNIT as WIREGUARD
from steps.containers import Container
from steps.files import Directory, File
from steps.platform import Platform
from steps.sources import Source
from steps.traefik import marker


@dataclass(frozen=True)
class Declared:
    """Everything of a host but its studios, which depend on the slots that its containers hold.

    Args:
        files, folders: with content, mode and owner. present: files that the host fetches, any content.
        watched: the files of Traefik's dynamic folder, among `files`; no other belongs there.
        static: Traefik's traefik.yml.
        running, enabled: units, as `steps.units.units` takes them.
        held: packages. exact: the version of those that have one.
        driver: None on the gateway. no_driver: why there can be none.
        rules: of the firewall, as nft reads them. sysctl: value by key.
    """

    files: tuple[File, ...]
    folders: tuple[Directory, ...]
    present: tuple[str, ...]
    watched: tuple[File, ...]
    static: str
    running: tuple[str, ...]
    enabled: tuple[str, ...]
    held: tuple[str, ...]
    exact: Mapping[str, str] = field(default_factory=dict)
    driver: Plan | None = None
    no_driver: str = ""
    rules: str = ""
    sysctl: Mapping[str, str] = field(default_factory=dict)


def declared(site: Site, member: Member, here: Platform, by_key: bool) -> Declared:
    """What is declared of a host. `here`: what it is; `by_key`: whether this run logged in with a key."""
    plan, no_driver = None, ""
    if isinstance(member, Node):
        try:
            plan = driver_plan(site, here)
        except DriverError as error:
            no_driver = str(error)
    watched = _watched(site, member)
    backs_up = site.backup.repository is not None
    sources = _sources(site, here, plan)
    settings = base.files(site, member, here, by_key)
    own, folders = _gateway(site) if isinstance(member, Gateway) else _node(site, member)
    files = [
        *settings,
        *firewall.files(),
        File(firewall.RULES, rules(site, member)),
        *docker.boot_files(),
        docker.daemon_file(engine.daemon(site)),
        *(file for source in sources for file in source.files),
        *(backup.files(site, member) if backs_up else []),
        *own,
        *watched,
    ]
    (static,) = [file for file in own if file.dest == f"{gateway_config.DIRECTORY}/traefik.yml"]
    return Declared(
        files=tuple(files),
        folders=(*base.folders(member), *folders),
        present=tuple(source.keyring for source in sources if source.fetches),
        watched=tuple(watched),
        static=static.data.decode(),
        running=(*docker.RUNNING, firewall.UNIT, WIREGUARD, *_running(site, member, plan)),
        enabled=(*docker.ENABLED, *(nvidia.ENABLED if isinstance(member, Node) else ())),
        held=(*engine.packages(site, here), *(plan.packages if plan else ())),
        exact={package: version for package, version in plan.exact.items() if version} if plan else {},
        driver=plan,
        no_driver=no_driver,
        rules=rules(site, member),
        sysctl=_sysctl(settings),
    )


def services(site: Site, member: Member, door_digest: str) -> list[Container]:
    """The site's own containers on a host. `door_digest`: of the door's image in the registry."""
    if isinstance(member, Gateway):
        files = gateway.files(site)
        reference = images.door(site).reference(site, door_digest)
        doors = [door_containers.door(site, name, reference) for name in names.DOORS]
        return [gateway.registry(site, files), gateway.traefik(site, files), *doors]
    return [node_proxy.docker_proxy(site), node_proxy.traefik(site, member)]


def _gateway(site: Site) -> tuple[list[File], list[Directory]]:
    files = [*gateway.files(site), *image.files(site), *door_config.files(site)]
    return files, [*gateway.folders(), *door.folders()]


def _node(site: Site, member: Node) -> tuple[list[File], list[Directory]]:
    return [*node_proxy.files(site, member), *nvidia.files(), *watch.files(site)], []


def _running(site: Site, member: Member, plan: Plan | None) -> tuple[str, ...]:
    backs_up = site.backup.repository is not None and backup.kinds(site, member)
    timer = (backup.TIMER,) if backs_up else ()
    return (*timer, *(plan.units if plan else ()), *((watch.UNIT,) if isinstance(member, Node) else ()))


def _watched(site: Site, member: Member) -> list[File]:
    if isinstance(member, Gateway):
        before, parts = [], {"site": gateway.shared(site), "routes": routes.file(site)}
    else:
        before, parts = [node_proxy.again()], {"node": node_proxy.shared()}
    markers = [marker(part, [file], routes.DIRECTORY) for part, file in parts.items()]
    return [*before, *parts.values(), *markers]


def _sources(site: Site, here: Platform, plan: Plan | None) -> list[Source]:
    vendor = [engine.source(site, here)] if engine.from_vendor(site, here) else []
    return [*vendor, *(plan.sources if plan else ())]


def _sysctl(settings: list[File]) -> dict[str, str]:
    (file,) = [file for file in settings if file.dest == SYSCTL]
    lines = [line.split("=", 1) for line in file.data.decode().splitlines() if "=" in line and line[0] != "#"]
    return {key.strip(): value.strip() for key, value in lines}

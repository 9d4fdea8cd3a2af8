"""What stands in a deploy's way on one host, and what to do about it. Pure: facts in, findings out."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from fleet import Gateway, Member, Node, Site, names
from roles.nvidia.driver import DriverError, flavour, gpus
from roles.preflight.facts import Facts, Listener

GIB = 2**30
SUPPORTED = ("debian 12", "debian 13", "ubuntu 22.04", "ubuntu 24.04")
ARCHITECTURES = ("amd64", "arm64")
# Certificates and signed package lists fail on a clock that is minutes off; seconds only blur the logs.
CLOCK_ERROR_S, CLOCK_WARNING_S = 60.0, 5.0
# What the first deploy writes: the CUDA image takes 10 GB unpacked, and twice that while it is built or
# pulled; the one without CUDA a fifth. Afterwards only room to breathe is asked for.
IMAGE_BYTES = {"gateway": 30 * GIB, "node": 20 * GIB}
SMALL_IMAGE_BYTES = {"gateway": 8 * GIB, "node": 5 * GIB}
ROOM_TO_BREATHE = 1 * GIB
LEAST_MEMORY = {"gateway": 2 * GIB, "node": 4 * GIB}
# Programs that hold our ports because an earlier deploy started them.
OURS = {"traefik", "registry", "docker-registry", "wireguard-go", "-"}
DOOR = tuple(int(address.rpartition(":")[2]) for address in (names.DOOR_ENTRY, *names.DOOR_ADDRESSES))


@dataclass(frozen=True)
class Finding:
    """Something wrong with a host: an error stops the run, a warning is only shown."""

    severity: Literal["error", "warning"]
    host: str
    what: str
    remedy: str

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def judge(site: Site, member: Member, facts: Facts, clock_offset_s: float) -> list[Finding]:
    """Everything wrong with one host, errors first.

    Args:
        clock_offset_s: seconds the host's clock is ahead of the operator's; negative where it is behind.
    """
    if facts.os not in SUPPORTED:
        # On an unknown system the other answers mean little.
        found = [_unsupported(member, facts)]
    else:
        found = [
            Finding(severity, member.host, what, remedy)
            for check in (_login, _system, _clock, _disk, _memory, _ports, _sources, _hardware, _driver)
            for severity, what, remedy in check(site, member, facts, clock_offset_s)
        ]
    return sorted(found, key=lambda finding: finding.severity)


Found = Iterator[tuple[Literal["error", "warning"], str, str]]


def _unsupported(member: Member, facts: Facts) -> Finding:
    known = "Debian 12 or 13, or Ubuntu 22.04 or 24.04"
    return Finding("error", member.host, f"runs {facts.os or 'an unknown system'}", f"Install {known}.")


def _login(site: Site, member: Member, facts: Facts, offset: float) -> Found:
    user = member.ssh.user
    if not facts.root:
        rule = f"{user} ALL=(ALL) NOPASSWD:ALL"
        yield (
            "error",
            f"{user} cannot become root without a password",
            f"Put '{rule}' into /etc/sudoers.d/{user}.",
        )


def _system(site: Site, member: Member, facts: Facts, offset: float) -> Found:
    if not facts.systemd:
        yield "error", "systemd does not run", "Boot the host with systemd as its init."
    if facts.arch not in ARCHITECTURES:
        yield "error", f"its architecture is {facts.arch or 'unknown'}", "Use an amd64 or arm64 machine."
    for what in facts.blind:
        yield "warning", f"could not look at {what}", "The base role installs it; a second run will look."


def _clock(site: Site, member: Member, facts: Facts, offset: float) -> Found:
    way = "ahead of" if offset > 0 else "behind"
    what = f"its clock is {abs(offset):.0f} s {way} this machine's"
    if abs(offset) > CLOCK_ERROR_S:
        yield (
            "error",
            what,
            "Set it, or this machine's: certificates depend on it.",
        )
    elif abs(offset) > CLOCK_WARNING_S:
        yield "warning", what, "Check its time service once the deploy is through."


def _disk(site: Site, member: Member, facts: Facts, offset: float) -> Found:
    needs = disk_needs(site, member, facts)
    devices = {disk.device: disk.free for disk in facts.disks.values()}
    for device, free in devices.items():
        folders = [folder for folder, disk in facts.disks.items() if disk.device == device]
        need = ROOM_TO_BREATHE + sum(needs.get(folder, 0) for folder in folders)
        if free < need:
            places = " and ".join(folders)
            yield (
                "error",
                f"{free / GIB:.1f} GiB free on {places}, {need / GIB:.1f} GiB needed",
                f"Free {(need - free) / GIB:.1f} GiB, or mount a larger disk there.",
            )


def left_behind(site: Site, node: Node, stores: Mapping[str, Collection[str]]) -> list[Finding]:
    """Projects of a node whose data is on another one: a deploy would have them begin with nothing.

    Args:
        stores: projects with data, by node.
    """
    found = []
    for project in site.projects_on(node.host):
        elsewhere = [other for other, there in stores.items() if other != node.host and project.name in there]
        if elsewhere and project.name not in stores.get(node.host, ()):
            what = f"{project.name} is declared here, and its jobs are on {' and '.join(elsewhere)}"
            remedy = (
                f"Bring them along: ops/move.py --data project={project.name}. Or, to begin with nothing, "
                f"put /srv/vibevoice/projects/{project.name} on {elsewhere[0]} aside (mv)."
            )
            found.append(Finding("error", node.host, what, remedy))
    return found


def disk_needs(site: Site, member: Member, facts: Facts) -> dict[str, int]:
    """Bytes that this deploy will write, by folder."""
    kind = _kind(member)
    sizes = SMALL_IMAGE_BYTES if site.studio.device == "cpu" else IMAGE_BYTES
    images = 0 if facts.images else sizes[kind]
    models = {project.model for project in site.projects_on(member.host)}
    weights = 0
    for model in (site.model(name) for name in sorted(models)):
        if f"{model.name}/{model.revision}" not in facts.weights and model.lock.exists():
            weights += sum(file["size"] for file in json.loads(model.lock.read_text())["files"])
    return {"/var/lib/docker": images, "/srv": weights}


def _memory(site: Site, member: Member, facts: Facts, offset: float) -> Found:
    least = LEAST_MEMORY[_kind(member)]
    # Firmware keeps some of what was paid for.
    if facts.memory < least * 0.9:
        what = f"{facts.memory / GIB:.1f} GiB of memory, {least / GIB:.0f} GiB is the least that works well"
        yield "warning", what, "Give it more memory, or expect slow starts."


def _ports(site: Site, member: Member, facts: Facts, offset: float) -> Found:
    for protocol, port, address, purpose in needed_ports(site, member):
        for listener in facts.listeners:
            if _clashes(listener, protocol, port, address) and not _ours(listener):
                yield (
                    "error",
                    f"{listener.program} holds {listener.address} port {port}/{protocol}, for {purpose}",
                    f"Stop and disable {listener.program}, or move it to another port.",
                )


def needed_ports(site: Site, member: Member) -> list[tuple[str, int, str, str]]:
    """`(protocol, port, address or "*", purpose)` of everything the site will listen on."""
    wg = site.wg_address(member.host)
    if isinstance(member, Gateway):
        public = member.address or "*"
        return [
            ("tcp", 80, public, "HTTP"),
            ("tcp", 443, public, "HTTPS"),
            ("udp", site.wireguard.port, "*", "WireGuard"),
            ("tcp", site.registry.port, wg, "the image registry"),
            *(("tcp", port, "127.0.0.1", "the door") for port in DOOR),
        ]
    return [("tcp", 8080, wg, "the studios"), ("tcp", 8081, wg, "metrics")]


def _ours(listener: Listener) -> bool:
    """Whether a service of the site itself may hold this, from an earlier deploy."""
    return listener.program in OURS or (listener.port in DOOR and listener.program.startswith("python"))


def _clashes(listener: Listener, protocol: str, port: int, address: str) -> bool:
    if (listener.protocol, listener.port) != (protocol, port):
        return False
    return address == "*" or listener.address in ("*", "0.0.0.0", "::", address)


def _sources(site: Site, member: Member, facts: Facts, offset: float) -> Found:
    for url, why in facts.unreachable:
        yield (
            "error",
            f"cannot read {url}: {why}",
            "Check the host's DNS, route and proxy, or name a reachable mirror in the inventory.",
        )


def _hardware(site: Site, member: Member, facts: Facts, offset: float) -> Found:
    if isinstance(member, Gateway):
        return
    found = gpus(facts.pci)
    if len(found) != member.gpus:
        yield (
            "error",
            f"the inventory says {member.gpus} GPUs, its PCI bus has {len(found)}",
            f"Correct gpus of {member.host} in {site.file.name}, or check the cards (lspci -d 10de:).",
        )
    for gpu in found:
        if gpu.generation is None:
            what = f"GPU 10de:{gpu.id:04x} at {gpu.address} is newer than this toolkit knows"
            yield "warning", what, "The open kernel module is used."
    try:
        flavour(facts.pci, site.nvidia.branch) if found else None
    except DriverError as error:
        what, _, remedy = str(error).partition(". ")
        yield "error", what, remedy


def _driver(site: Site, member: Member, facts: Facts, offset: float) -> Found:
    if not isinstance(member, Node):
        return
    if facts.nvidia_runfile:
        yield (
            "error",
            "its NVIDIA driver was installed by NVIDIA's .run file",
            "Run nvidia-uninstall, then reboot.",
        )
    foreign = foreign_packages(site, facts)
    if foreign:
        yield (
            "error",
            f"NVIDIA packages from elsewhere: {', '.join(foreign[:4])}{' …' if len(foreign) > 4 else ''}",
            "Remove them (apt-get purge), and reboot: module and libraries must come from one source.",
        )
    if not facts.headers and facts.os.startswith("debian"):
        what = f"no headers to build the module for kernel {facts.kernel} (linux-headers-{facts.kernel})"
        if facts.container:
            yield "warning", what, "It is a container: its host must run the same driver version."
        else:
            yield "error", what, "Upgrade to the distribution's current kernel and reboot."
    if facts.secure_boot and facts.os.startswith("debian") and not facts.module_key:
        yield (
            "error",
            "Secure Boot is on, and the key that signs the module is not enrolled",
            "Turn it off, enrol /var/lib/dkms/mok.pub at the console, or use Ubuntu's signed modules.",
        )


def foreign_packages(site: Site, facts: Facts) -> list[str]:
    """Installed NVIDIA packages that come from another source than the one this site uses."""
    # Ubuntu's own archive is the source there; elsewhere it is NVIDIA's.
    ours = (site.nvidia.apt_url, site.nvidia.toolkit_url)
    sources: dict[str, set[str]] = {}
    for package, source in facts.nvidia_packages:
        sources.setdefault(package, set()).add(source)
    foreign = []
    for package, urls in sources.items():
        # A version that its repository no longer carries has only dpkg's own record left.
        known = {url for url in urls if url.startswith("http")}
        vendor = any(url.startswith(ours) for url in known)
        archive = facts.os.startswith("ubuntu") and not any(
            "developer.download.nvidia" in url for url in known
        )
        if known and not vendor and not archive:
            foreign.append(package)
    return sorted(foreign)


def _kind(member: Member) -> str:
    return "gateway" if isinstance(member, Gateway) else "node"

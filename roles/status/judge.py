"""What is not as it should be, from what the hosts and the certificate say. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fleet import Gateway, Member, Node, Project, Site, drained, names
from fleet.outside import Certificate
from roles.status.facts import Container, Seen

# A host's answer, or why there is none.
Answers = Mapping[str, Seen | str]

# Traefik renews a month before the end: with two weeks left it has failed for two.
CERTIFICATE_DAYS = 14
DISK_SHARE = 0.05
RESTARTS = 3


@dataclass(frozen=True)
class Wrong:
    """Something that is not as it should be: where, what, and what to do."""

    where: str
    what: str
    do: str


def services(member: Member) -> tuple[str, ...]:
    """The containers that a host runs besides its studios."""
    if isinstance(member, Gateway):
        return (names.TRAEFIK, *names.DOORS, names.REGISTRY)
    return (names.NODE_PROXY, names.DOCKER_PROXY)


def judge(site: Site, answers: Answers, certificate: Certificate | str) -> list[Wrong]:
    """Everything that is wrong on the hosts of this run, the gateway first."""
    found = list(_certificate(site, certificate))
    for member in site.members:
        seen = answers.get(member.host)
        if isinstance(seen, str):
            found.append(Wrong(member.host, f"down: {seen}", "Is it on, and the network to it?"))
        elif seen is not None:
            found += _host(member, seen)
            if isinstance(member, Node):
                found += _node(site, member, seen)
    return found


def _certificate(site: Site, certificate: Certificate | str) -> Iterator[Wrong]:
    look = f"On {site.gateway.host}: docker logs {names.TRAEFIK} | grep -i acme"
    if isinstance(certificate, str):
        yield Wrong(site.domain, certificate, look)
    elif certificate.days < CERTIFICATE_DAYS:
        yield Wrong(site.domain, f"its certificate ends in {certificate.days:.0f} days, unrenewed", look)


def _host(member: Member, seen: Seen) -> Iterator[Wrong]:
    for folder, (size, free) in seen.disks.items():
        if free < size * DISK_SHARE:
            what = f"{folder} has {free / 2**30:.1f} GiB of {size / 2**30:.0f} GiB left"
            yield Wrong(member.host, what, "docker system df, and du below /srv/vibevoice")
    for name, text in seen.alarms.items():
        yield Wrong(member.host, *_alarm(name, text))
    if seen.docker_error:
        yield Wrong(member.host, f"Docker does not answer: {seen.docker_error}", "systemctl status docker")
        return
    there = {one.name: one for one in seen.services}
    for name in services(member):
        one = there.get(name)
        if one is None:
            yield Wrong(member.host, f"{name} is missing", "Deploy again.")
        elif trouble := _trouble(one):
            yield Wrong(member.host, f"{name} {trouble}", f"docker logs {name}")


def _alarm(name: str, text: str) -> tuple[str, str]:
    try:
        said = json.loads(text)
        return f"alarm {name}: {said['what']}", str(said.get("do") or "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"alarm {name}: {text}", f"See /srv/vibevoice/alarms/{name}."


def _node(site: Site, node: Node, seen: Seen) -> Iterator[Wrong]:
    if seen.gpu_error:
        yield Wrong(node.host, f"nvidia-smi: {seen.gpu_error}", "Reboot it; then dmesg, and deploy again.")
    elif len(seen.gpus) < node.gpus:
        what = f"{len(seen.gpus)} of its {node.gpus} GPUs are there"
        yield Wrong(node.host, what, "nvidia-smi, dmesg; reboot it, or correct gpus")
    if seen.docker_error:
        return
    for one in seen.studios:
        if (one.running or one.status == "restarting") and (trouble := _studio(one)):
            yield Wrong(node.host, f"{one.name} {trouble}", f"docker logs {one.name}")
    for project in site.projects_on(node.host):
        if trouble := _missing(project, seen):
            yield Wrong(node.host, trouble, "docker ps -a, docker logs; or deploy again")


def _missing(project: Project, seen: Seen) -> str:
    # On a drained node nothing is started, and that is what somebody wanted.
    if drained.read(seen.drained):
        return ""
    there = sum(one.running for one in seen.studios if one.project == project.name)
    if there >= project.gpus:
        return ""
    return f"{project.name} has {there} of {project.gpus} studios"


def _trouble(one: Container) -> str:
    """What is wrong with a container, in a few words; empty if nothing is."""
    if one.status == "restarting":
        return f"restarts again and again, {one.restarts} times; it ended with {one.exit}"
    if not one.running:
        memory = ", out of memory" if one.oom else ""
        return f"is {one.status} ({one.exit}{memory})"
    if one.restarts >= RESTARTS:
        return f"has restarted {one.restarts} times"
    return "is unhealthy" if one.health == "unhealthy" else ""


def _studio(one: Container) -> str:
    if trouble := _trouble(one):
        return trouble
    if one.ready is None:
        # A new one needs its seconds.
        return "" if one.health == "starting" else "does not answer on /health/ready"
    if one.ready.get("paused"):
        return f"takes no job: {one.ready['paused']}"
    # Draining, closed, lent: what a studio says while another takes its place.
    if "failed" in (one.ready.get("state"), one.ready.get("engine")):
        return "has failed: Docker will start it again"
    return ""

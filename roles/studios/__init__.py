"""The studios of a GPU host: exactly one container on every GPU that a project holds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pyinfra import host, inventory, state
from pyinfra.api import FunctionCommand, deploy, operation

from fleet import Node, Site, images
from roles.lock import lost
from roles.studios import commands
from roles.studios.observe import Observed, Studios
from roles.studios.plan import Plan, assigned, plan
from roles.studios.rolling import Stopped, turn
from roles.studios.spec import Studio, studio
from steps.options import option
from steps.refusal import refuse
from steps.shell import Output, Succeeds

DOOR_KEY = "/srv/vibevoice/door/limits.pub"

# The studios of each node of this run, by slot: what the site runs from now on, if all goes well.
current: dict[str, Mapping[int, Studio]] = {}


@deploy("Studios")
def studios(site: Site, member: Node) -> None:
    """Have the declared studios running; those that need no change are not touched."""
    fetch(name="Have the studios' image", site=site, node=member)
    converge(name="Run one studio on each GPU", site=site, node=member)
    if project := option("purge_data"):
        purge(name="Delete a removed project's data", site=site, project=project)


def observe(site: Site) -> Observed:
    """The node as found, at this moment."""
    image = images.studio(site)
    return host.get_fact(
        Studios,
        site=site.name,
        registry=site.registry_address,
        repository=image.repository,
        tag="" if image.external else image.tag,
    )


def door_key(site: Site) -> str:
    """The public half of the key that the door signs limits with; empty while there is no door yet.

    It is the gateway's alone, so it is asked for, also where the run is limited to other hosts.
    """
    gateway = inventory.get_host(site.gateway.host)
    return gateway.get_fact(Output, script=f"cat {DOOR_KEY}").strip() if gateway else ""


def wanted(site: Site, node: Node, observed: Observed, key: str) -> dict[int, Studio]:
    """The studio of every used slot of a node."""
    projects = site.projects_on(node.host)
    uuids = dict(enumerate(observed.uuids))
    image = images.studio(site).reference(site, observed.digest)
    return {
        slot: studio(site, project, slot, uuids.get(slot, f"slot-{slot}"), image, key)
        for name, slots in assigned(node.gpus, projects, observed).items()
        for project in [site.project(name)]
        for slot in slots
    }


def missing(site: Site, node: Node, observed: Observed, key: str) -> str:
    """What has to be there before anything is changed and is not; empty if nothing is missing."""
    if not site.projects_on(node.host):
        return ""
    if len(observed.uuids) < node.gpus:
        return (
            f"nvidia-smi shows {len(observed.uuids)} GPUs on {node.host}, the inventory says {node.gpus}. "
            "Look at nvidia-smi and dmesg there, or correct gpus."
        )
    image = images.studio(site)
    if not observed.digest and not image.external:
        return (
            f"{site.registry_address} does not offer {image.repository}:{image.tag} to {node.host}. "
            "Deploy the gateway as well, and look at wg0 (wg show) on both."
        )
    if not key:
        return f"{site.gateway.host} has no {DOOR_KEY}, so no door. Deploy the gateway as well."
    return ""


def declared(site: Site, node: Node) -> tuple[Observed, dict[int, Studio]]:
    """The node as found, and the studios that it shall hold."""
    observed = observe(site)
    return observed, wanted(site, node, observed, door_key(site))


@operation()
def fetch(site: Site, node: Node):
    """Have the image on every node before a studio is touched on any: a failed pull must not cost one."""
    observed, key = observe(site), door_key(site)
    # While a run is planned, driver, image and door may not be there yet.
    if state.is_executing and not observed.drained and (reason := missing(site, node, observed, key)):
        yield refuse(reason)
        return
    names = [project.name for project in site.projects_on(node.host)]
    todo = plan(wanted(site, node, observed, key), names, observed)
    if todo.pull and not observed.drained:
        yield commands.pull(todo.pull)
    else:
        host.noop("no new studio, no new image")


@operation()
def converge(site: Site, node: Node):
    """Have exactly the declared studios on a node, and no other; on a drained one, leave all as it is."""
    observed, studios = declared(site, node)
    current[node.host] = studios
    if observed.drained:
        host.noop("the node is drained: nothing is started here")
        return
    yield from become(site, node, observed, studios)


def become(
    site: Site, node: Node, observed: Observed, studios: Mapping[int, Studio]
) -> Iterator[str | FunctionCommand]:
    """What makes the node hold exactly these studios."""
    todo = plan(studios, [project.name for project in site.projects_on(node.host)], observed)
    if not todo:
        host.noop("every studio runs as specified")
        return
    yield from _make_room(site, todo)
    yield from _fill(todo)
    yield from _roll(site, todo)


def _make_room(site: Site, todo: Plan) -> Iterator[str]:
    for found in todo.remove:
        yield commands.remove(found.name)
    for project in todo.forget:
        yield commands.remove_network(project)
    for project in todo.connect:
        yield commands.create_network(site.name, project)


def _fill(todo: Plan) -> Iterator[str]:
    """Start what nobody waits for being stopped: all at once, then wait for all."""
    for stopped in todo.start:
        yield commands.start(stopped)
    for new in todo.create:
        yield commands.create(new)
    if fresh := [*todo.start, *todo.create]:
        yield commands.wait(fresh)


def _roll(site: Site, todo: Plan) -> Iterator[str | FunctionCommand]:
    """Have one studio after the other replaced; the first failure, here or elsewhere, is the last one."""
    if not todo.replace:
        return
    grace_s = max(site.studio.stop_grace_s, site.studio.exchange_grace_s)
    old, new = zip(*((replacement.old.name, replacement.new) for replacement in todo.replace), strict=True)
    try:
        with turn(host.name, site.studio.nodes_at_once):
            # To start takes the longer part of an exchange, and costs nobody anything.
            yield commands.stand_beside(new)
            for done, name in enumerate(old):
                if reason := lost():
                    yield commands.drop(new[done:])
                    yield refuse(reason)
                    return
                yield commands.hand_over(name, new[done], new[done + 1 :], grace_s)
    except Stopped as stopped:
        yield refuse(
            f"{', '.join(old)}: not replaced, because a new studio on {stopped} did not become ready. What "
            "runs here goes on as it is. Repair that studio, then deploy again."
        )
        return
    yield commands.wait_until_gone(old, grace_s)


@operation()
def purge(site: Site, project: str):
    """Delete the data of a project that is no longer declared (`--data purge_data=NAME`)."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", project):
        yield refuse(f"purge_data={project} is no project's name.")
    elif project in {declared.name for declared in site.projects}:
        yield refuse(f"purge_data={project}: {site.file} still declares it. Remove it there first.")
    elif host.get_fact(Succeeds, test=f"[ -d /srv/vibevoice/projects/{project} ]"):
        yield commands.purge(project)
    else:
        host.noop(f"{project} left no data here")

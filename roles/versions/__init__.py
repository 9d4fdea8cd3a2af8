"""A site's last versions: written down after each change of its studios, and gone back to."""

from __future__ import annotations

import time
from collections.abc import Mapping

from pyinfra import host, inventory, logger, state
from pyinfra.api import deploy, operation
from pyinfra.context import ctx_host

from fleet import Gateway, Member, Node, Site
from fleet.operator import whoami
from roles.studios import become, commands, current, declared, observe
from roles.studios.spec import Studio
from roles.versions import git, history
from roles.versions.history import Damaged, NoSuchVersion, Studios, Version
from steps.files import File, write
from steps.refusal import refuse
from steps.shell import Output

__all__ = ["go_back", "prune", "remember", "versions"]

# What this run does, for the history.
_action = "deploy"


def versions(site: Site) -> tuple[Version, ...]:
    """The site's history, oldest first, as the gateway keeps it. Raises Damaged."""
    gateway = inventory.get_host(site.gateway.host)
    said = gateway.get_fact(Output, script=f"cat {history.PATH}") if gateway else ""
    return history.read(said.splitlines())


@deploy("Versions")
def remember(site: Site, member: Gateway) -> None:
    """Write down what the site runs now, if that is something new."""
    write_down(name="Remember what runs now", site=site)


@operation()
def write_down(site: Site):
    """Add a version to the history where the studios are not those of the last one."""
    try:
        before = versions(site)
    except Damaged as error:
        # Nothing that runs depends on it.
        logger.warning(f"{error}: the history is begun anew.")
        before = ()
    after = history.follow(before, _now(site, before))
    if after == before:
        host.noop("the site runs what it ran")
        return
    yield write([File(history.PATH, "".join(f"{one.as_json()}\n" for one in after), mode="640")])


def _now(site: Site, before: tuple[Version, ...]) -> Version:
    """The site as this run leaves it; of nodes that are not in this run, as it was."""
    last = before[-1].projects if before else {}
    projects = {}
    if not state.is_executing and _action == "deploy":
        _plan_nodes(site)
    for project in site.projects:
        if project.node in current:
            studios = current[project.node].values()
            mine = tuple(one for one in studios if one.project == project.name)
            projects[project.name] = Studios(project.node, project.model, mine)
        elif project.name in last:
            projects[project.name] = last[project.name]
    commit, dirty = git.revision()
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return Version(0, at, whoami(), commit, dirty, _action, projects)


def _plan_nodes(site: Site) -> None:
    """Note what the nodes of this run would hold: while a run is planned, no host waits for the others."""
    active = {one.name: one for one in state.inventory.get_active_hosts()}
    for node in site.nodes:
        if node.host in active and node.host not in current:
            with ctx_host.use(active[node.host]):
                _, studios = declared(site, node)
            current[node.host] = studios


@deploy("Rollback")
def go_back(site: Site, member: Member, project: str | None, number: int | None) -> None:
    """Return a project, or the site, to an earlier version."""
    look(name="See that there is what to go back to", site=site, project=project, number=number)
    if isinstance(member, Node):
        go(name="Go back", site=site, node=member, project=project, number=number)


def target(site: Site, project: str | None, number: int | None) -> tuple[Version, Mapping[str, Studios]]:
    """The version to go back to, and what each project runs then. Raises NoSuchVersion, Damaged."""
    past = versions(site)
    then = history.earlier(past, project, number)
    return then, history.returned(past[-1], then, project)


def _mine(projects: Mapping[str, Studios], node: Node) -> dict[int, Studio]:
    return {
        studio.slot: studio for one in projects.values() if one.node == node.host for studio in one.studios
    }


@operation()
def look(site: Site, project: str | None, number: int | None):
    """Refuse, before anything is changed, what cannot be gone back to; say where it goes."""
    try:
        then, projects = target(site, project, number)
    except (NoSuchVersion, Damaged) as reason:
        if state.is_executing:
            yield refuse(str(reason))
        return
    global _action
    _action = f"rollback to {then.n}"
    member = host.data.member
    if isinstance(member, Gateway):
        if state.is_executing:
            made = f"{then.at}, by {then.who}, revision {then.revision or 'unknown'}"
            logger.info(f"Back to version {then.n} ({made})")
        return
    gone = host.get_fact(Output, script=commands.missing(_mine(projects, member).values()))
    if gone and state.is_executing:
        yield refuse(
            f"{member.host} no longer has what version {then.n} needs: {', '.join(gone.splitlines())}. "
            f"Check out revision {then.revision or 'of then'} and deploy that."
        )


@operation()
def go(site: Site, node: Node, project: str | None, number: int | None):
    """Have the node run the studios of then, each in its turn as in any rollout."""
    try:
        _, projects = target(site, project, number)
    except (NoSuchVersion, Damaged):
        return
    studios = _mine(projects, node)
    current[node.host] = studios
    observed = observe(site)
    if observed.drained:
        host.noop("the node is drained: nothing is started here")
        return
    yield from become(site, node, observed, studios)


@operation()
def prune(site: Site):
    """Remove studios' images that no version needs any more."""
    try:
        past = versions(site)
    except Damaged:
        past = ()
    if not state.is_executing:
        # By then this run's own version is written down, and the oldest may have gone for it.
        past = history.follow(past, _now(site, past))
    kept = history.images(past) | {one.image for one in current.get(host.name, {}).values()}
    # Without a history nothing is known to be old.
    found = host.get_fact(Output, script=commands.images(site.registry_address)).split() if past else []
    if unneeded := sorted(set(found) - kept):
        yield commands.remove_images(unneeded)
    else:
        host.noop("no image is too old")

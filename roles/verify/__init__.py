"""The proof at the end of a deploy. It changes nothing, and counts as no change."""

from __future__ import annotations

import time
from collections.abc import Sequence

from pyinfra import host, state
from pyinfra.api import deploy, operation

from fleet import Gateway, Member, Node, Project, Site, names
from roles.door import probe
from roles.drain import drained, note
from roles.verify import gpus, https, listening
from steps.refusal import refuse
from steps.shell import Output

ACME_LOG = (
    f'docker logs --since 30m {names.TRAEFIK} 2>&1 | grep \'"level":"error"\' | grep -i acme | tail -n 3'
)


@deploy("Verify")
def verify(site: Site, member: Member) -> None:
    """Fail where the site is not what the inventory says, but for nodes that are drained."""
    if isinstance(member, Node):
        note(name="Look whether the node is drained", site=site, node=member)
    if isinstance(member, Gateway):
        answers(name="Ask every project over HTTPS", site=site, projects=site.projects)
    else:
        sees_one_gpu(name="Look for exactly one GPU in each studio", site=site, node=member)
    listens(name="Look for ports that nobody declared", site=site, member=member)


@deploy("Verify")
def serves(site: Site, node: Node) -> None:
    """Fail where a project of this node does not answer."""
    answers(name=f"Ask {node.host}'s projects over HTTPS", site=site, projects=site.projects_on(node.host))


@deploy("Verify")
def serves_project(site: Site, project: Project) -> None:
    """Fail where this project does not answer."""
    answers(name=f"Ask {project.name} over HTTPS", site=site, projects=[project])


# An operation's commands count as changes, and a run is planned by asking for the first of them: these
# look while executing only, and their one command is the refusal.


@operation()
def answers(site: Site, projects: Sequence[Project]):
    """Projects answer over HTTPS, through the door, under a certificate that clients trust."""
    if not state.is_executing:
        return
    wrong = silent(site, projects)
    # One broken certificate is the same complaint for every project.
    words = list(dict.fromkeys(one.words for one in wrong))
    if any(one.certificate for one in wrong) and (log := host.get_fact(Output, script=ACME_LOG)):
        words.append(f"Traefik says: {log}")
    if words:
        yield refuse("\n".join(words))


def silent(site: Site, projects: Sequence[Project]) -> list[https.Wrong]:
    """What is wrong with those of the projects whose node serves; asked on the gateway."""
    away = drained(site)
    asked = [project for project in projects if project.node not in away]
    deadline = time.monotonic() + https.PATIENCE_S
    keys = probe([project.name for project in asked]) if asked else {}
    # Without a key the question is asked all the same: what is wrong may lie before the door.
    return [
        found
        for project in asked
        if (found := https.wait(site, project, keys.get(project.name, "none"), deadline))
    ]


@operation()
def sees_one_gpu(site: Site, node: Node):
    """Each studio sees the GPU of its slot and no other."""
    if not state.is_executing:
        return
    away = node.host in drained(site)
    expected = 0 if away else sum(project.gpus for project in site.projects_on(node.host))
    said = host.get_fact(Output, script=gpus.question(site.name)).splitlines()
    if wrong := gpus.wrong(said, expected):
        if away:
            wrong.append(f"{node.host} is drained: none shall run. Stop them, or undrain it.")
        yield refuse("\n".join(wrong))


@operation()
def listens(site: Site, member: Member):
    """Nothing listens that the site has not declared."""
    if not state.is_executing:
        return
    listeners = listening.read(host.get_fact(Output, script=listening.SS).splitlines())
    strangers = listening.unexpected(site, member, listeners)
    if strangers:
        yield refuse(
            "\n".join(
                f"{one.program or 'Something'} listens on {one.address} port {one.port}/{one.protocol}, "
                "which is not declared. Stop it, bind it to 127.0.0.1, or add the port to firewall.extra_tcp."
                for one in strangers
            )
        )

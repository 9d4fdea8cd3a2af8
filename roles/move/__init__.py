"""A project's data follows it to the node that the inventory names.

The data is copied while the old node serves; then the project stops there, what has changed since follows,
and the new node's studios go on with its jobs. Up to the moment the gateway's routes lead to the new node,
any failure has the old one serve again. From then on the new node's data is the project's: somebody may have
handed a job in.
"""

# pyinfra types the first positional argument of every verb as `_sudo`; at run time they are ours.
# pyright: reportCallIssue=false

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Sequence
from typing import Any

import gevent
from pyinfra import host, inventory, state
from pyinfra.api import FunctionCommand, deploy, operation

from fleet import Gateway, Node, Project, Site, images, names
from roles.door import door
from roles.drain import command, say
from roles.drain import reason as why_not
from roles.move import data
from roles.move.data import Move, Seen
from roles.move.stream import Broken, must, pump
from roles.routes import routes
from roles.studios import studios
from steps.images import digest_command
from steps.options import Mistake
from steps.refusal import complain, refuse
from steps.shell import Output

# What the nodes have of the project; complete once the first operation is through on all of them.
_seen: dict[str, Seen] = {}
# What is moved; empty where there is nothing to move.
_moves: list[Move] = []
# Files that changed while they were read: they travel again.
_doubtful: set[str] = set()


def chosen(site: Site, name: str, to: str) -> Project:
    """The project that `--data project=…` names; `to` is what `--data to=…` says, or empty.

    Raises:
        Mistake: there is none, or the inventory has it on another node than `to`.
    """
    known = [project.name for project in site.projects]
    if name not in known:
        wrong = f"{name} is no project of {site.file.name}" if name else "Which project"
        raise Mistake(f"{wrong}? Say --data project=… with one of: {', '.join(known)}.")
    project = site.project(name)
    if to and to != project.node:
        raise Mistake(
            f"{site.file.name} has {name} on {project.node}. Change its node to {to} there, then move."
        )
    return project


def whole_site() -> None:
    """End a run that is limited to some hosts: a node that is not asked may have the data.

    Raises:
        Mistake: it is.
    """
    if isinstance(state.limit_hosts, list):
        raise Mistake("A move concerns the whole site: run it without --limit.")


@deploy("Move")
def find(site: Site, node: Node, project: Project) -> None:
    """See which node has the project's data, and refuse what cannot be moved."""
    look(name=f"Look for data of {project.name}", site=site, project=project)
    decide(name="Refuse what would fail halfway", site=site, node=node, project=project)


@deploy("Move")
def bring(site: Site, node: Node, project: Project) -> None:
    """Bring the data to the new node, and have its studios go on with it."""
    copy(name=f"Copy {project.name} while the old node serves", site=site, project=project)
    switch(
        name=f"Stop {project.name} there, copy the rest, start it here", site=site, node=node, project=project
    )


@deploy("Move")
def lead(site: Site, gateway: Gateway, project: Project) -> None:
    """Lead the world to the new node."""
    follow(name=f"Lead {project.name} to its new node", site=site, gateway=gateway, project=project)


@deploy("Move")
def clear(site: Site, node: Node, project: Project) -> None:
    """Remove the studios from the old node, and put the data aside there."""
    put_aside(name=f"Remove {project.name} from its old node", site=site, node=node, project=project)


@operation()
def look(site: Site, project: Project):
    """Ask the node what it has of the project."""
    if not state.is_executing:
        return
    said = host.get_fact(Output, script=data.question(site.name, project.name, names.NODE_PROXY))
    _seen[host.name] = data.read_seen(said.splitlines())
    yield from ()


@operation()
def decide(site: Site, node: Node, project: Project):
    """Decide what is moved; the project's node is the one that speaks of it."""
    if not state.is_executing or node.host != project.node:
        return
    found = data.judge(site, project.name, _seen)
    if isinstance(found, str):
        yield refuse(found)
    elif found is None:
        host.get_fact(Output, script=f"rm -f {data.receipt(project.name)}")
        say(f"has {project.name} and all its data: nothing to move.")
    else:
        _moves.append(found)
        say(f"gets {project.name} from {found.old}: {data.in_words(_seen[found.old].data or 0)}.")


@operation()
def copy(site: Site, project: Project):
    """Copy what can be copied beside working studios, and prove it by checksums; have the image ready."""
    if not state.is_executing or not _moves or _moves[0].arrived:
        return
    yield f"install -d -m 750 -o 10001 -g 10001 {data.arriving(project.name)}"
    yield FunctionCommand(copy_beside, (), {"site": site, "project": project})


def copy_beside(state: Any, host: Any, site: Site, project: Project) -> bool:
    """The first, long part of the copy."""
    try:
        _pull(host, site)
        _pass(inventory_host(_moves[0].old), host, project.name, stopped=False)
    except (Broken, ValueError, OSError) as error:
        complain(
            host, f"{error}\n{_moves[0].old} goes on serving {project.name}. Run the same command again: "
        )
        complain(host, "what has arrived is not copied twice.")
        return False
    return True


@operation(_set_in_op=False)
def switch(site: Site, node: Node, project: Project):
    """From one node to the other: until the next operation's end the project shows the waiting page."""
    if not state.is_executing or not _moves:
        return
    yield FunctionCommand(go_over, (), {"site": site, "node": node, "project": project})


def go_over(state: Any, host: Any, site: Site, node: Node, project: Project) -> bool:
    """Stop there, copy the rest, start here; the old node serves again where that fails."""
    old = inventory_host(_moves[0].old)
    try:
        if not _moves[0].arrived:
            _stop(old, _seen[old.name].running)
            _pass(old, host, project.name, stopped=True)
            _arrive(old, host, project.name)
        studios(site, node)
    except Exception as error:
        go_back(site, project, host, why_not(error))
        return False
    return True


@operation(_set_in_op=False)
def follow(site: Site, gateway: Gateway, project: Project):
    """Have routes and door lead to the new node; the old one serves again where Traefik refuses."""
    if not state.is_executing or not _moves:
        return
    yield FunctionCommand(lead_over, (), {"site": site, "gateway": gateway, "project": project})


def lead_over(state: Any, host: Any, site: Site, gateway: Gateway, project: Project) -> bool:
    """The moment from which the new node's data is the project's."""
    try:
        routes(site, gateway)
    except Exception as error:
        go_back(site, project, inventory_host(project.node), why_not(error))
        return False
    door(site, gateway)
    return True


@operation(_set_in_op=False)
def put_aside(site: Site, node: Node, project: Project):
    """On the old node: nothing of the project runs any more, and its data is kept under another name."""
    if not state.is_executing or not _moves or host.name != _moves[0].old:
        return
    yield FunctionCommand(leave_behind, (), {"site": site, "node": node, "project": project})


def leave_behind(state: Any, host: Any, site: Site, node: Node, project: Project) -> bool:
    """Remove studios and network, rename the data, say how it is deleted."""
    # By name first: a drained node's studios are left alone by their own role.
    containers = shlex.join(_seen[host.name].studios)
    kept = data.aside(project.name, time.strftime("%Y%m%d-%H%M%S", time.gmtime()))
    try:
        if containers:
            must(host, f"docker rm -f {containers} >/dev/null")
        studios(site, node)
        must(host, f"mv {data.folder(project.name)} {kept}")
        must(inventory_host(project.node), f"rm -f {data.receipt(project.name)}")
    except Broken as error:
        complain(host, f"{project.name} is served by {project.node}, but is not cleared away here: {error}")
        return False
    say(f"keeps the data of before in {kept}. Once nobody misses anything: rm -rf {kept}")
    return True


def go_back(site: Site, project: Project, new: Any, reason: str) -> None:
    """Have the old node serve again; what has come to the new one waits for the next try."""
    old = inventory_host(_moves[0].old)
    mine = names.studios_filter(site.name, project.name)
    here, there = data.folder(project.name), data.arriving(project.name)
    complain(new, f"{project.name} was not moved: {reason}")
    try:
        # First of all nobody else works on the jobs.
        must(new, f"docker ps --all --quiet {mine} | xargs -r docker rm -f >/dev/null")
        must(new, f"rm -f {data.receipt(project.name)}; [ ! -d {here} ] || mv -T {here} {there}")
        if running := _seen[old.name].running:
            must(old, f"docker start {shlex.join(running)} >/dev/null")
    except (Broken, OSError) as error:
        complain(new, f"Nor does {old.name} serve it again: {error}")
        start = f"docker start {shlex.join(_seen[old.name].running)}"
        complain(new, f"Stop its studios on {new.name}, then on {old.name}: {start}")
        return
    again = command(site, f"ops/move.py --data project={project.name}")
    complain(new, f"{old.name} serves it again, with all its jobs. Repair, then go on: {again}")


def inventory_host(name: str) -> Any:
    """pyinfra's host of that name."""
    return inventory.get_host(name)


def _pull(new: Any, site: Site) -> None:
    """Have the image there before anything stops."""
    image = images.studio(site)
    digest = (
        ""
        if image.external
        else new.get_fact(Output, script=digest_command(site.registry_address, image.repository, image.tag))
    )
    if not digest and not image.external:
        raise Broken(f"{site.registry_address} does not offer {image.repository}:{image.tag}. Deploy first.")
    reference = shlex.quote(image.reference(site, digest))
    must(new, f"docker image inspect {reference} >/dev/null 2>&1 || docker pull -q {reference} >/dev/null")


def _stop(old: Any, containers: Sequence[str]) -> None:
    """Studios save their jobs on SIGTERM, within 20 s."""
    if containers:
        must(old, f"docker stop {shlex.join(containers)} >/dev/null")
    say(f"{old.name} has stopped, its jobs are saved; visitors see the waiting page.")


def _pass(old: Any, new: Any, project: str, stopped: bool) -> None:
    """Copy what the new node lacks and compare checksums: of all beside studios at work, then of the rest."""
    here, there = data.folder(project), data.arriving(project)
    source, arrived = _list(old, here), _list(new, there)
    paths = data.to_copy(source, arrived, stopped, _doubtful)
    gone = data.left_over(source, arrived)
    if gone:
        must(new, f"cd {there} && xargs -0 rm -rf --", _names(gone))
    if paths:
        _copy(old, here, new, there, source, paths)
    files = [path for path in (paths if stopped else source) if source[path].kind == "f"]
    if not stopped:
        files = [path for path in files if not path.endswith(data.DATABASE)]
    differing = _compare(old, here, new, there, files)
    if not stopped:
        _doubtful.update(differing)
        return
    if differing:
        raise Broken(f"{differing[0]} has another checksum on {new.name} ({len(differing)} such files).")
    if data.to_copy(_list(old, here), _list(new, there), stopped=True):
        raise Broken(f"{old.name} still writes to {here}. What runs there? Look at fuser -v {here}.")


def _copy(old: Any, here: str, new: Any, there: str, source: data.Listing, paths: Sequence[str]) -> None:
    total = data.size(source, paths)

    def tell(travelled: int, seconds: float) -> None:
        say(data.progress(min(travelled, total), total, seconds))

    # Times to the nanosecond: by them the next pass, or the next run, knows what has arrived.
    send = f"cd {here} && tar --format=posix --numeric-owner --no-recursion --null --files-from=- -cf -"
    receive = f"cd {there} && tar --numeric-owner -xpf -"
    begin = time.monotonic()
    pump(old, send, _names(paths), new, receive, tell)
    say(f"{len(paths)} files and folders: {data.progress(total, total, time.monotonic() - begin)}.")


def _compare(old: Any, here: str, new: Any, there: str, files: Sequence[str]) -> list[str]:
    """Files whose checksums differ; those that are gone from one of the nodes do."""
    if not files:
        return []
    script = "cd {} && xargs -0 sha256sum -- 2>/dev/null || true"
    ours = gevent.spawn(must, old, script.format(here), _names(files))
    theirs = must(new, script.format(there), _names(files))
    said = ours.get()
    return data.differing(said.decode(errors="surrogateescape"), theirs.decode(errors="surrogateescape"))


def _arrive(old: Any, new: Any, project: str) -> None:
    """All is there: give it its name, and note whose copy it is."""
    store = must(old, f"cd {data.folder(project)} && {data.FINGERPRINT}").decode().strip()
    note = shlex.quote(json.dumps({"from": old.name, "store": store}))
    must(
        new,
        f"sync -f {data.ROOT} && printf '%s\\n' {note} > {data.receipt(project)} "
        f"&& mv -T {data.arriving(project)} {data.folder(project)}",
    )


def _list(host: Any, folder: str) -> data.Listing:
    return data.read_listing(must(host, f"[ ! -d {folder} ] || {{ cd {folder} && {data.LIST}; }}"))


def _names(paths: Sequence[str]) -> bytes:
    return b"".join(path.encode(errors="surrogateescape") + b"\0" for path in paths)

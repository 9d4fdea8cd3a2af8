"""Model weights of a GPU host: one folder for each revision, complete and checked, or not there."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Sequence

from pyinfra import host
from pyinfra.api import FactBase, StringCommand, deploy, operation

from fleet import Model, Node, Site
from fleet.locks import Lock
from steps.files import render

ROOT = "/srv/vibevoice/weights"
MARKER = ".complete"


@deploy("Weights")
def weights(site: Site, member: Node) -> None:
    """Fetch the weights of every model that a project of this node uses."""
    used = {project.model for project in site.projects_on(member.host)}
    fetch(name="Fetch model weights", hub=site.studio.hub, models=[site.model(name) for name in sorted(used)])


def folder(model: Model, revision: str) -> str:
    """Where a revision of a model is on a node. Other revisions beside it stay: going back is free."""
    return f"{ROOT}/{model.name}/{revision}"


def lock_hash(lock: Lock) -> str:
    """What the marker of a complete folder says: the hash of the lock it was checked against."""
    return hashlib.sha256(lock.model_dump_json().encode()).hexdigest()


class Markers(FactBase[dict[str, str]]):
    """`{folder: lock hash}` of the complete ones."""

    def command(self, folders: Sequence[str]) -> str:
        loop = f'for d in "$@"; do [ ! -f "$d/{MARKER}" ] || echo "$d $(cat "$d/{MARKER}")"; done'
        return f"set -- {shlex.join(folders)}; {loop}"

    @staticmethod
    def default() -> dict[str, str]:
        return {}

    def process(self, output: list[str]) -> dict[str, str]:
        return dict(line.split(" ", 1) for line in output if " " in line)


@operation()
def fetch(hub: str, models: Sequence[Model]):
    """Fetch what is missing from a hub, check every file against the lock, and only then name it complete.

    An interrupted download goes on where it stopped, also in the next run.
    """
    locks = {model.name: Lock.read(model.lock) for model in models}
    wanted = {folder(model, locks[model.name].revision): model for model in models}
    complete = host.get_fact(Markers, folders=tuple(wanted)) if wanted else {}
    missing = [
        (path, locks[model.name])
        for path, model in wanted.items()
        if complete.get(path) != lock_hash(locks[model.name])
    ]
    if not missing:
        host.noop("the weights are complete")
    for path, lock in missing:
        rows = "\n".join(f"{file.sha256} {file.size} {file.path}" for file in lock.files)
        script = render(
            "weights/fetch.sh",
            folder=path,
            url=f"{hub.rstrip('/')}/{lock.repo}/resolve/{lock.revision}",
            marker=MARKER,
            lock_hash=lock_hash(lock),
        )
        yield StringCommand("sh", "-c", shlex.quote(script), _stdin=f"{rows}\n")

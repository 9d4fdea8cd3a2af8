"""A snapshot put in its place: of the gateway, or of a project's jobs on its node."""

from __future__ import annotations

import json
import shlex
from typing import Any

from pyinfra.api import FunctionCommand, operation

from fleet import Site, names
from roles.backup.config import GATEWAY, SCRIPT, SRV
from roles.backup.said import ask, complain, remark
from roles.backup.snapshots import NotFound, Snapshot, choose, read
from steps.answer import asks_for_json, say, table
from steps.files import render

# As containers of studios are started and waited for.
USER, PORT = "10001:10001", 8888
READY_WITHIN_S, ROUTED_WITHIN_S = 600, 30

# There is one restore in a run.
_there: list[Snapshot] = []
_chosen: list[Snapshot] = []


@operation()
def pick(kind: str, wanted: str):
    """List the snapshots, and choose: the one that is wanted, or the latest."""
    yield FunctionCommand(_pick, (), {"kind": kind, "wanted": wanted})


@operation()
def listing(kind: str):
    """Only the list, as the answer."""
    yield FunctionCommand(_listing, (), {"kind": kind})


@operation()
def gateway(site: Site, overwrite: bool):
    """Certificates, ACME account, logins, sessions, keys and versions of the chosen snapshot."""
    yield FunctionCommand(_gateway, (), {"site": site, "overwrite": overwrite})


@operation()
def jobs(site: Site, project: str, overwrite: bool):
    """A project's jobs, sound and voices of the chosen snapshot; its studios stop meanwhile."""
    yield FunctionCommand(_jobs, (), {"site": site, "project": project, "overwrite": overwrite})


def gateway_script(
    site: Site, snapshot: str, overwrite: bool, *, backup: str = SCRIPT, srv: str = SRV
) -> str:
    """The shell that puts a gateway's snapshot in its place."""
    return render(
        "backup/restore-gateway.sh",
        srv=srv,
        backup=backup,
        snapshot=snapshot,
        overwrite=int(overwrite),
        containers="|".join((names.TRAEFIK, names.REGISTRY, *names.DOORS)),
    )


def jobs_script(
    site: Site,
    project: str,
    snapshot: str,
    overwrite: bool,
    *,
    backup: str = SCRIPT,
    srv: str = SRV,
    user: str = USER,
) -> str:
    """The shell that puts a project's snapshot in its place, and prints what that was as JSON."""
    return render(
        "backup/restore-jobs.sh",
        srv=srv,
        backup=backup,
        site=site.name,
        project=shlex.quote(project),
        snapshot=snapshot,
        overwrite=int(overwrite),
        user=user,
    )


def _list(host: Any, kind: str) -> bool:
    said = ask(host, f"{SCRIPT} list {kind}")
    if not said.well:
        return complain(host, said.complaint)
    _there[:] = read(said.output)
    return True


def _listing(state: Any, host: Any, kind: str) -> bool:
    if not _list(host, kind):
        return False
    answer = {"of": kind, "snapshots": [one.as_json() for one in _there]}
    say([_table(kind)], answer)
    return True


def _pick(state: Any, host: Any, kind: str, wanted: str) -> bool:
    if not _list(host, kind):
        return False
    try:
        _chosen[:] = [choose(_there, wanted, kind)]
    except NotFound as error:
        return complain(host, f"{error} Nothing was changed.")
    if not asks_for_json():
        say([_table(kind)], {})
    return True


def _gateway(state: Any, host: Any, site: Site, overwrite: bool) -> bool:
    (snapshot,) = _chosen
    said = ask(host, gateway_script(site, snapshot.id, overwrite))
    if not said.well:
        return complain(host, said.complaint)
    remark(host, said.complaint)
    _tell(GATEWAY, host.name, {})
    return True


def _jobs(state: Any, host: Any, site: Site, project: str, overwrite: bool) -> bool:
    (snapshot,) = _chosen
    said = ask(host, jobs_script(site, project, snapshot.id, overwrite))
    if not said.well:
        return complain(host, said.complaint)
    remark(host, said.complaint)
    restored = json.loads(said.output.splitlines()[-1])
    studios = restored.pop("studios").split()
    if studios and not (waited := ask(host, wait_script(studios))).well:
        return complain(host, waited.complaint)
    _tell(project, host.name, restored | {"studios": studios})
    return True


def wait_script(studios: list[str]) -> str:
    """The shell that waits until studios that were started are ready and get requests."""
    return render(
        "studios/wait.sh",
        containers=shlex.join(studios),
        seconds=READY_WITHIN_S,
        routed_seconds=ROUTED_WITHIN_S,
        port=PORT,
    )


def _tell(kind: str, host: str, restored: dict[str, Any]) -> None:
    (snapshot,) = _chosen
    words = [f"Restored {kind} on {host} from snapshot {snapshot.id} of {snapshot.when} UTC."]
    if restored:
        words.append(
            f"{restored['jobs']} jobs and {restored['voices']} voices; {restored['unfinished']} jobs were "
            "unfinished and go on."
        )
        words.append(f"Studios that speak again: {', '.join(restored['studios']) or 'none ran'}.")
    say([" ".join(words)], {"of": kind, "host": host, "snapshot": snapshot.as_json(), **restored})


def _table(kind: str) -> Any:
    chosen = {one.id for one in _chosen}
    rows = [[*one.row, "taken" if one.id in chosen else ""] for one in _there]
    return table(f"Snapshots of {kind}", ("snapshot", "made (UTC)", "on", ""), rows)

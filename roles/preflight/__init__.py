"""Looks at every host before anything is changed, and stops the whole run where it would fail halfway."""

from __future__ import annotations

import base64
import shlex
import time
from collections.abc import Sequence

from pyinfra import host, inventory, state
from pyinfra.api import deploy, operation
from pyinfra.api.exceptions import ConnectError

from fleet import Member, Node, Site
from roles.docker.engine import from_vendor
from roles.docker.engine import source as docker_source
from roles.nvidia.plan import driver_source, toolkit_source
from roles.preflight import report
from roles.preflight.facts import parse
from roles.preflight.judge import Finding, judge, left_behind
from roles.versions import git, versions
from roles.versions.history import Damaged
from steps.files import TEMPLATES
from steps.platform import Platform, platform
from steps.refusal import refuse
from steps.shell import Output

# What each host of this run has to say; complete once the first operation is through on all of them.
_findings: dict[str, list[Finding]] = {}
_shown: set[str] = set()
# Which projects' data each node has.
_stores: dict[str, frozenset[str]] = {}
STORES = "cd /srv/vibevoice/projects 2>/dev/null && ls -d */jobs.db 2>/dev/null | cut -d / -f 1"


@deploy("Preflight")
def preflight(site: Site, member: Member) -> None:
    """Refuse the run, before its first change, with every host's findings in one table and one file."""
    look(name="Look at every host", site=site, member=member)
    compare(name="Look for data on other nodes", site=site, member=member)
    verdict(name="Refuse what would fail halfway", site=site, member=member)


@operation()
def look(site: Site, member: Member):
    """Run the probe and keep its findings. Fails on no host: all have to report first."""
    if not state.is_executing:
        return
    command = _probe_command(site, member)
    sent = time.time()
    # Without pyinfra's sudo: where that does not work, the probe says so itself.
    succeeded, output = host.run_shell_command(command, _sudo=False, _timeout=90)
    _findings[host.name] = _judge(site, member, succeeded, output.stdout_lines, sent, time.time())
    yield from ()


@operation()
def compare(site: Site, member: Member):
    """Note projects whose data is on another node than theirs. Only a node without the data asks for more."""
    if not state.is_executing or not isinstance(member, Node):
        return
    mine = {project.name for project in site.projects_on(member.host)}
    if mine - _stores.get(member.host, frozenset()):
        for other in site.nodes:
            if other.host not in _stores:
                _stores[other.host] = _ask(other.host)
        _findings[host.name] += left_behind(site, member, _stores)
    yield from ()


def _ask(node: str) -> frozenset[str]:
    """Projects with data on a node that this run is not about; none where it does not answer."""
    other = inventory.get_host(node)
    try:
        return frozenset(other.get_fact(Output, script=STORES).split() if other else [])
    except Exception:
        return frozenset()


@operation()
def verdict(site: Site, member: Member):
    """Write and show the report once, and fail the hosts that have errors."""
    if not state.is_executing:
        return
    if site.name not in _shown:
        _shown.add(site.name)
        _findings.setdefault(site.gateway.host, []).extend(taken_back(site))
        report.write(site.state_dir / "preflight.json", _findings)
        report.show(_findings)
    mine = _findings.get(host.name, [])
    if report.failed(mine):
        errors = [f for f in mine if f.severity == "error"]
        yield refuse("\n".join(f"{f.what}. {f.remedy}" for f in errors))


def taken_back(site: Site) -> list[Finding]:
    """That this checkout lacks what the site was last deployed from; nothing where nobody can tell."""
    if report.failed(_findings.get(site.gateway.host, [])):
        return []
    try:
        past = versions(site)
    except (Damaged, ConnectError):
        return []
    if not past or not git.lacks(past[-1].revision):
        return []
    last = past[-1]
    what = f"the site runs revision {last.revision} ({last.at}, by {last.who}); this checkout lacks it"
    remedy = "Stop and git pull, unless you mean to take back what that revision changed."
    return [Finding("warning", site.gateway.host, what, remedy)]


def _judge(
    site: Site, member: Member, succeeded: bool, lines: Sequence[str], sent: float, received: float
) -> list[Finding]:
    try:
        facts = parse(lines, platform().nvidia)
    except ValueError as error:
        what = f"the probe failed: {error}" if succeeded else "the probe failed"
        return [
            Finding("error", member.host, what, "Log in by hand: is there a POSIX shell, and time to answer?")
        ]
    if isinstance(member, Node):
        _stores[member.host] = facts.stores
    return judge(site, member, facts, clock_offset(sent, received, facts.clock))


def clock_offset(sent: float, received: float, there: float) -> float:
    """Seconds a clock is ahead (negative: behind); 0 where it is within the time the question took."""
    if there < sent:
        return there - sent
    return max(0.0, there - received)


def _probe_command(site: Site, member: Member) -> str:
    """One command that runs the probe as root where that is possible."""
    script = (TEMPLATES / "preflight" / "probe.sh").read_bytes()
    gpu = "yes" if isinstance(member, Node) else "no"
    arguments = shlex.join(_repositories(site, member, platform()))
    run = f"sh -s -- {arguments}"
    sudo = f"sudo -n true 2>/dev/null; then sudo -n GPU={gpu} {run}"
    root = f'if [ "$(id -u)" = 0 ]; then {run}; elif {sudo}; else {run}; fi'
    return f"echo {base64.b64encode(script).decode()} | base64 -d | ( GPU={gpu}; export GPU; {root} )"


def _repositories(site: Site, member: Member, here: Platform) -> list[str]:
    """Files that must be readable in the repositories this host will install from, apart from its own."""
    found = []
    if from_vendor(site, here):
        repository = docker_source(site, here)
        found.append(f"{repository.uri}/dists/{repository.suites}/InRelease")
    if isinstance(member, Node):
        found.append(f"{toolkit_source(site, here).uri}InRelease")
        if here.id == "debian":
            found.append(f"{driver_source(site, here).uri}InRelease")
    return found

"""Seconds of what operators do all day, on the lab: python -m bench.operations (make bench-operations).

Changes the lab's studios and puts them back. How long a GPU has no engine while its studio is replaced is
read from the log of the engine that comes: it loaded the model and spoke a word.
"""

from __future__ import annotations

import json
import re
import statistics
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import testinfra

from bench.machine import machine
from tests.box.containers import studios
from tests.box.deploy import Deploy, Run, deploy
from tests.box.lab import REPORTS, describe

COMMAND = "make bench-operations"
LOOKS = 3
CHANGED = '''"""The lab's site with a knob turned for all its studios."""

from fleet import site
from lab.site import lab_site

_site = lab_site()
_site["studio"] |= {"job_days": 31}
gateway, gpu = site(__file__, _site)
'''
READY = re.compile(r"weights ([\d.]+) s, memory and graphs ([\d.]+) s, a first word ([\d.]+) s")


@dataclass(frozen=True)
class Figure:
    """One measured thing, in seconds, beside its target (None: there is none)."""

    name: str
    seconds: float
    target: float | None = None
    runs: tuple[float, ...] = ()


def main() -> int:
    """Measure all, print the table, write reports/bench-operations.json; 1 if a target was missed."""
    deploy("-y", log="bench-as-declared")
    figures = [_look("status", 3), _look("drift"), *_rollout()]
    REPORTS.mkdir(exist_ok=True)
    described = machine(COMMAND)
    whole = {**described, "figures": [asdict(figure) for figure in figures]}
    (REPORTS / "bench-operations.json").write_text(json.dumps(whole, indent=2) + "\n")
    print("\n".join(f"{key}: {value}" for key, value in described.items()), end="\n\n")
    for one in figures:
        print(f"{one.name:44}{one.seconds:8.1f} s{f'   target {one.target:.0f} s' if one.target else ''}")
    return int(any(one.target is not None and one.seconds > one.target for one in figures))


def _look(name: str, target: float | None = None) -> Figure:
    """A command that only looks, several times."""
    runs = tuple(round(_run(name).seconds, 2) for _ in range(LOOKS))
    return Figure(f"ops/{name}.py (median of {LOOKS})", statistics.median(runs), target, runs)


def _rollout() -> list[Figure]:
    """A change of all studios, a project's rollback, the site's."""
    with tempfile.TemporaryDirectory() as folder:
        inventory = Path(folder) / "lab.py"
        inventory.write_text(CHANGED)
        change = deploy("-y", inventory=inventory, log="bench-change")
    lent = _lent()
    project = _run("rollback", "-y", "--data", "project=debate")
    site = _run("rollback", "-y", "--data", f"to={_before()}")
    return [
        Figure("deploy that replaces three studios", change.seconds),
        Figure("of that, a GPU without an engine (longest)", max(lent), None, tuple(lent)),
        Figure("ops/rollback.py of one project", project.seconds, 20),
        Figure("ops/rollback.py of the site, two studios left", site.seconds, 20),
    ]


def _run(name: str, *options: str) -> Run:
    run = Deploy(*options, operations=f"ops/{name}.py", log=f"bench-{name}").wait()
    assert run.code == 0, run.tail
    return run


def _before() -> int:
    """The version that the lab ran before it was changed."""
    host = testinfra.get_host("ssh://gateway", ssh_config=str(describe().ssh_config), sudo=True)
    lines = host.check_output("cat /srv/vibevoice/versions.jsonl").splitlines()
    return json.loads(lines[-3])["n"]


def _lent() -> list[float]:
    """Of each studio, from the release of its GPU to its first word."""
    seconds = []
    for node in ("gpu-1", "gpu-2"):
        host = testinfra.get_host(f"ssh://{node}", ssh_config=str(describe().ssh_config), sudo=True)
        for studio in studios(host):
            found = READY.findall(host.check_output("docker logs %s 2>&1", studio.name))
            assert found, f"{studio.name} on {node} has never been ready"
            seconds.append(round(sum(map(float, found[-1])), 2))
    return seconds


if __name__ == "__main__":
    sys.exit(main())

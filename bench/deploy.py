"""Seconds from bare hosts to HTTPS, on the lab: python -m bench.deploy (make bench-deploy).

Resets the lab's hosts. The lab's own caches (package files, wheels, base images, model) stay warm.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.machine import machine
from bench.watch import FirstAnswer
from lab import topology
from lab.root import plain
from tests.box import third as third_project
from tests.box.deploy import Deploy, Run, deploy
from tests.box.lab import INVENTORY, REPORTS, Lab, Login, command, describe

SITE = [host.name for host in topology.hosts() if host.name != "visitor"]
COMMAND = "make bench-deploy"
SECOND_RUNS = 3


@dataclass(frozen=True)
class Figure:
    """One measured thing beside its target; ``phases`` are roles in deploy.py's order, in seconds."""

    name: str
    seconds: float
    target: float
    run_seconds: float
    phases: dict[str, float] = field(default_factory=dict)
    runs: tuple[float, ...] = ()


def main() -> int:
    """Measure all, print the table, write reports/bench-deploy.json; 1 if a target was missed."""
    lab = describe()
    first = next(iter(lab.logins.values()))
    figures = [
        _from_bare_hosts(lab, first, "bare hosts, empty registry", 240, "bench-bare"),
        _from_bare_hosts(
            lab, first, "bare hosts, image in the registry", 150, "bench-registry", registry=True
        ),
        _second_run(),
        _third_project(lab),
    ]
    REPORTS.mkdir(exist_ok=True)
    described = machine(COMMAND)
    whole = {**described, "figures": [asdict(figure) for figure in figures]}
    (REPORTS / "bench-deploy.json").write_text(json.dumps(whole, indent=2) + "\n")
    _print(described, figures)
    return int(any(figure.seconds > figure.target for figure in figures))


def _from_bare_hosts(
    lab: Lab, login: Login, name: str, target: float, log: str, *, registry: bool = False
) -> Figure:
    kept = _take_registry() if registry else None
    command("reset", *SITE)
    if kept:
        kept.rename(_registry())
    run, answered = _timed(lab, login, log)
    return Figure(name, answered, target, run.seconds, _phases(run))


def _second_run() -> Figure:
    runs = [deploy("-y", "--json", log=f"bench-second-{number}") for number in range(SECOND_RUNS)]
    assert not any(run.changes for run in runs), [run.changes for run in runs]
    seconds = [round(run.seconds, 2) for run in runs]
    middle = sorted(runs, key=lambda run: run.seconds)[SECOND_RUNS // 2]
    return Figure(
        "second run, no change",
        statistics.median(seconds),
        8,
        middle.seconds,
        _phases(middle),
        tuple(seconds),
    )


def _third_project(lab: Lab) -> Figure:
    with tempfile.TemporaryDirectory() as folder:
        third = third_project.declare(lab, Path(folder))
        third_project.plug_in(third)
        deploy("-y", log="bench-one-gpu-more", env=third.env)
        run, answered = _timed(lab, third.login, "bench-third", third.inventory, third.env)
        deploy("-y", log="bench-third-removed", env=third.env)
    third_project.pull_out(third)
    return Figure("one more project", answered, 20, run.seconds, _phases(run))


def _timed(
    lab: Lab,
    login: Login,
    log: str,
    inventory: Path = INVENTORY,
    env: Mapping[str, str] | None = None,
) -> tuple[Run, float]:
    """A run, and the seconds from its start to the first trusted answer of the project."""
    with FirstAnswer(lab, login) as answer:
        run = Deploy("-y", inventory=inventory, log=log, env=env).wait(1200)
        assert run.code == 0, run.tail
    return run, answer.seconds


def _phases(run: Run) -> dict[str, float]:
    """Seconds by role; what comes before the first operation is connecting and preparing."""
    operations = run.operations()
    phases = {"connect, prepare": operations[0][1] if operations else run.seconds}
    for name, start, end in operations:
        role, is_role, _ = name.partition(" | ")
        # Between the roles hosts only wait for each other, which takes no time of its own.
        if is_role:
            phases[role] = phases.get(role, 0.0) + end - start
    return {role: round(seconds, 2) for role, seconds in phases.items()}


def _registry() -> Path:
    return plain(topology.host("gateway"), "/srv/vibevoice") / "registry"


def _take_registry() -> Path:
    """Put the gateway's registry where a reset does not reach it; on the same disk, so it is a rename."""
    command("halt", "gateway")
    kept = _registry().parents[2] / "registry-kept"
    _registry().rename(kept)
    return kept


def _print(described: Mapping[str, object], figures: list[Figure]) -> None:
    print("\n".join(f"{key}: {value}" for key, value in described.items()), end="\n\n")
    print(f"{'':36}{'answer':>9}{'target':>9}{'whole run':>11}")
    for figure in figures:
        verdict = "" if figure.seconds <= figure.target else "   missed"
        print(
            f"{figure.name:36}{figure.seconds:8.1f}s{figure.target:8.0f}s{figure.run_seconds:10.1f}s{verdict}"
        )
    roles = list(dict.fromkeys(role for figure in figures for role in figure.phases))
    print(f"\n{'seconds by phase':24}" + "".join(f"{figure.name[:22]:>24}" for figure in figures))
    for role in roles:
        print(f"{role[:23]:24}" + "".join(f"{figure.phases.get(role, 0):24.1f}" for figure in figures))


if __name__ == "__main__":
    sys.exit(main())

"""Packages that are held, and the driver that runs. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from fleet import Node
from roles.drift.declared import Declared
from roles.drift.finding import Finding, deploy
from roles.nvidia.condition import Condition, complaints, works
from roles.nvidia.plan import of_branch


def holds(host: str, declared: Declared, states: Mapping[str, tuple[str, bool]]) -> list[Finding]:
    """Packages that are missing, not held, or another version than the declared one."""
    rows: list[tuple[str, str, str]] = []
    for name in declared.held:
        version, held = states.get(name, ("", False))
        wanted = declared.exact.get(name)
        if not version:
            rows.append((name, "not installed", "installed and held"))
            continue
        if wanted and version != wanted:
            rows.append((name, f"version {version}", f"version {wanted}"))
        if not held:
            rows.append((name, "not held", "held"))
    return [Finding("package hold", host, name, found, wish, deploy(host)) for name, found, wish in rows]


def driver(
    host: str,
    node: Node,
    declared: Declared,
    states: Mapping[str, tuple[str, bool]],
    now: Condition,
    on_bus: int,
) -> list[Finding]:
    """The driver's branch, and whether the module that runs is the one that is installed."""
    if declared.no_driver or declared.driver is None:
        return [Finding("driver", host, "nvidia", declared.no_driver or "none", "a driver", deploy(host))]
    plan, rows = declared.driver, []
    wanted = f"branch {plan.branch}"
    strangers = {
        states[name][0]
        for name in plan.driver
        if plan.pinning and name in states and not of_branch(states[name][0], plan.branch)
    }
    if strangers:
        rows.append(("packages", f"version {', '.join(sorted(strangers))}", wanted))
    if now.module and not of_branch(now.module, plan.branch):
        rows.append(("module", f"version {now.module} installed", wanted))
    loaded = {gpu.driver for gpu in now.gpus}
    if now.smi == 0 and now.module and not works(now) and loaded != {now.module}:
        rows.append(
            ("module", f"version {', '.join(sorted(loaded))} loaded", f"version {now.module}, installed")
        )
    elif not rows:
        rows += [
            ("driver", sentence, "a driver that sees every GPU") for sentence in complaints(now, node, on_bus)
        ]
    return [
        Finding("driver", host, f"nvidia {what}", found, wish, deploy(host)) for what, found, wish in rows
    ]

"""systemd units, all of a role in one look."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from pyinfra import host, state
from pyinfra.api import FactBase, operation
from pyinfra.api.operation import OperationMeta

# States of a unit's file in which it starts at boot, or needs no word for it.
BOOT = ("enabled", "static", "enabled-runtime", "alias", "indirect", "generated")


def properties(lines: Iterable[str]) -> dict[str, dict[str, str]]:
    """Properties by unit, from what `systemctl show` printed, Id among them."""
    blocks: list[dict[str, str]] = [{}]
    for line in lines:
        key, separator, value = line.partition("=")
        if not separator:
            continue
        # systemctl orders a unit's properties as it likes, and the empty line between two units may be lost
        # on the way: a repeated key opens the next one.
        if key in blocks[-1]:
            blocks.append({})
        blocks[-1][key] = value
    return {block["Id"]: block for block in blocks if "Id" in block}


class UnitStates(FactBase[dict[str, tuple[str, str, bool]]]):
    """`{unit: (active state, unit file state, daemon-reload needed)}`."""

    def command(self, units: Sequence[str]) -> str:
        # A unit without a file fails `systemctl show` on no version; an empty state says it all.
        return (
            "systemctl show --property=Id,ActiveState,UnitFileState,NeedDaemonReload -- "
            + shlex.join(units)
            + " || true"
        )

    @staticmethod
    def default() -> dict[str, tuple[str, str, bool]]:
        return {}

    def process(self, output: list[str]) -> dict[str, tuple[str, str, bool]]:
        return {
            unit: (
                block.get("ActiveState", ""),
                block.get("UnitFileState", ""),
                block.get("NeedDaemonReload") == "yes",
            )
            for unit, block in properties(output).items()
        }


def changed(operations: Sequence[OperationMeta]) -> bool:
    """Whether one of them has changed something; while a run is planned, whether one of them would."""
    if state.is_executing:
        return any(operation.did_change() for operation in operations)
    return any(operation.will_change for operation in operations)


@operation()
def units(
    running: Sequence[str] = (),
    enabled: Sequence[str] = (),
    stopped: Sequence[str] = (),
    restart_if: Sequence[OperationMeta] = (),
    reload_if: Sequence[OperationMeta] = (),
):
    """Bring units into their state.

    Args:
        running: full unit names (`docker.service`) that are enabled and active.
        enabled: units that start at boot, whether they run now or not (one-shots).
        stopped: units that neither run nor start at boot.
        restart_if: operations; where one of them changed something, the running ones are restarted.
        reload_if: the same, with a reload.
    """
    states = host.get_fact(UnitStates, units=(*running, *enabled, *stopped))
    restart, reload = changed(restart_if), changed(reload_if)
    none = ("inactive", "", False)
    commands: list[str] = []
    if restart or reload or any(states.get(unit, none)[2] for unit in (*running, *enabled)):
        commands.append("systemctl daemon-reload")
    if enable := [u for u in (*running, *enabled) if states.get(u, none)[1] not in BOOT]:
        commands.append(f"systemctl enable --quiet {shlex.join(enable)}")
    start = [u for u in running if states.get(u, none)[0] not in ("active", "reloading")]
    if start and not restart:
        commands.append(f"systemctl start {shlex.join(start)}")
    if restart:
        commands.append(f"systemctl restart {shlex.join(running)}")
    elif reload and (live := [u for u in running if u not in start]):
        commands.append(f"systemctl reload {shlex.join(live)}")
    if stop := [u for u in stopped if states.get(u, none)[0] in ("active", "activating", "reloading")]:
        commands.append(f"systemctl stop {shlex.join(stop)}")
    if disable := [u for u in stopped if states.get(u, none)[1] == "enabled"]:
        commands.append(f"systemctl disable --quiet {shlex.join(disable)}")
    if not commands:
        host.noop("units are as they should be")
    yield from commands

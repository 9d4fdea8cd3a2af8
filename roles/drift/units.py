"""systemd units: as packaged or placed, enabled, running, and nobody's drop-in on them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from roles.drift.declared import Declared
from roles.drift.finding import Finding, deploy
from steps.units import BOOT

# Where packages put theirs, and systemd's generators; anything else is a hand's or a role's.
PACKAGED = ("/usr/lib/systemd/", "/lib/systemd/", "/usr/local/lib/systemd/", "/run/systemd/generator")
PLACED = "/etc/systemd/system/"


def findings(
    host: str, declared: Declared, states: Mapping[str, Mapping[str, str]], drop_ins: Sequence[str]
) -> list[Finding]:
    """What differs. `drop_ins`: those on the disk, also where systemd has not read them yet."""
    own = {file.dest for file in declared.files}
    rows = []
    for unit in (*declared.running, *declared.enabled):
        state = states.get(unit, {})
        for what, found, wanted, remedy in [
            *_state(unit, state, unit in declared.running, host),
            *_origin(unit, state, own, drop_ins, host),
        ]:
            rows.append(Finding("unit", host, what, found, wanted, remedy))
    return rows


Row = tuple[str, str, str, str]


def _state(unit: str, state: Mapping[str, str], runs: bool, host: str) -> list[Row]:
    if "masked" in (state.get("LoadState"), state.get("UnitFileState")):
        return [(unit, "masked", "enabled", f"systemctl unmask {unit}, then {deploy(host)}")]
    if state.get("LoadState") != "loaded":
        return [(unit, state.get("LoadState") or "unknown", "loaded", deploy(host))]
    rows = []
    if state.get("UnitFileState") not in BOOT:
        rows.append((unit, state.get("UnitFileState") or "unknown", "enabled", deploy(host)))
    if runs and state.get("ActiveState") not in ("active", "reloading"):
        rows.append((unit, state.get("ActiveState") or "unknown", "active", deploy(host)))
    return rows


def _origin(
    unit: str, state: Mapping[str, str], own: set[str], drop_ins: Sequence[str], host: str
) -> list[Row]:
    rows = []
    fragment = state.get("FragmentPath", "")
    if fragment.startswith(PLACED) and fragment not in own and not fragment.endswith("/null"):
        remedy = f"rm {fragment}, systemctl daemon-reload"
        rows.append((unit, f"replaced by {fragment}", "the package's own unit", remedy))
    # systemd writes a blank as \x20; no path of ours has one.
    used = state.get("DropInPaths", "").split()
    on_disk = [path for path in drop_ins if f"/{unit}.d/" in path]
    strangers = sorted(
        path for path in {*used, *on_disk} if path not in own and not path.startswith(PACKAGED)
    )
    rows += [
        (path, f"a drop-in of {unit}", "absent", f"rm {path}, systemctl daemon-reload, restart {unit}")
        for path in strangers
    ]
    missing = sorted(path for path in own if f"/{unit}.d/" in path and path not in used and path in on_disk)
    stale = state.get("NeedDaemonReload") == "yes" and not strangers
    if missing or stale:
        rows.append((unit, "not read since its files changed", "read", "systemctl daemon-reload"))
    return rows

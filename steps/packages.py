"""Debian packages of a role: one question to dpkg, one call of apt-get where something is missing."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from pyinfra import host
from pyinfra.api import FactBase, operation
from pyinfra.api.operation import OperationMeta

from steps.units import changed

# Unattended upgrades may hold the lock for minutes on a new machine; mirrors hiccup.
APT = (
    "DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l apt-get -q -y -o DPkg::Lock::Timeout=300 "
    "-o Acquire::Retries=3 -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold"
)


class PackageStates(FactBase[dict[str, tuple[str, bool]]]):
    """`{package: (installed version, held)}` of those that are installed."""

    def command(self, packages: Sequence[str]) -> str:
        return (
            "dpkg-query -W -f='${db:Status-Status}\\t${db:Status-Want}\\t${Package}\\t${Version}\\n' -- "
            + shlex.join(packages)
            + " 2>/dev/null || true"
        )

    @staticmethod
    def default() -> dict[str, tuple[str, bool]]:
        return {}

    def process(self, output: list[str]) -> dict[str, tuple[str, bool]]:
        rows = [line.split("\t") for line in output]
        return {row[2]: (row[3], row[1] == "hold") for row in rows if len(row) == 4 and row[0] == "installed"}


@operation()
def packages(
    packages: Sequence[str],
    hold: bool = False,
    update_if: Sequence[OperationMeta] = (),
    recommends: bool = False,
):
    """Install what is missing.

    Args:
        packages: names, or `name=version` for exactly that version.
        hold: keep them from being upgraded behind our back; lifted for the moment of our own change.
        update_if: operations (a new source, a new key) after which the package lists are read anew.
        recommends: whether recommended packages come along.
    """
    pins = dict(_split(entry) for entry in packages)
    states = host.get_fact(PackageStates, packages=tuple(pins))
    missing = [
        name if version is None else f"{name}={version}"
        for name, version in pins.items()
        if name not in states or (version is not None and states[name][0] != version)
    ]
    fresh_source = changed(update_if)
    if fresh_source or missing:
        yield f"{APT} update"
    if missing:
        options = "--allow-change-held-packages --allow-downgrades"
        if not recommends:
            options += " --no-install-recommends"
        yield f"{APT} install {options} {shlex.join(missing)}"
    loose = [name for name in pins if not states.get(name, ("", False))[1] or name in _names(missing)]
    if hold and loose:
        yield f"apt-mark hold {shlex.join(loose)}"
    if not (fresh_source or missing or (hold and loose)):
        host.noop("packages are installed")


def _split(entry: str) -> tuple[str, str | None]:
    name, _, version = entry.partition("=")
    return name, version or None


def _names(entries: Sequence[str]) -> set[str]:
    return {_split(entry)[0] for entry in entries}

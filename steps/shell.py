"""Commands with a test that says whether they are needed."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from pyinfra import host
from pyinfra.api import FactBase, StringCommand, operation
from pyinfra.api.operation import OperationMeta

from steps.units import changed


class Succeeds(FactBase[bool]):
    """Whether a shell test succeeds on the host."""

    def command(self, test: str) -> str:
        return f"if sh -c {shlex.quote(test)} >/dev/null 2>&1; then echo yes; else echo no; fi"

    @staticmethod
    def default() -> bool:
        return False

    def process(self, output: list[str]) -> bool:
        return output[:1] == ["yes"]


class Output(FactBase[str]):
    """What a read-only command prints; empty where it fails."""

    def command(self, script: str) -> str:
        return f"sh -c {shlex.quote(script)} 2>/dev/null || true"

    @staticmethod
    def default() -> str:
        return ""

    def process(self, output: list[str]) -> str:
        return "\n".join(output)


@operation()
def run(
    commands: Sequence[str],
    unless: str | None = None,
    only_if: str | None = None,
    after: Sequence[OperationMeta] | None = None,
    stdin: str | None = None,
):
    """Run shell commands in order, stopping at the first that fails.

    Args:
        after: operations; where none of them changed something there is nothing to do. With pyinfra's `_if` a
            plan would only say that something may happen.
        unless: shell test; where it succeeds there is nothing to do.
        only_if: shell test; where it fails there is nothing to do.
        stdin: text for the commands' standard input (for what must not show in an argument).
    """
    if after is not None and not changed(after):
        host.noop("nothing to do")
        return
    if unless is not None and host.get_fact(Succeeds, test=unless):
        host.noop("nothing to do")
        return
    if only_if is not None and not host.get_fact(Succeeds, test=only_if):
        host.noop("nothing to do")
        return
    for command in commands:
        wrapped = ("sh", "-c", shlex.quote(command))
        yield StringCommand(*wrapped, _stdin=stdin) if stdin is not None else StringCommand(*wrapped)

"""What pyinfra lets pass and an operator would not: mistyped inventories and limits, interrupted runs.

pyinfra answers all three with exit code 0, so that a pipeline goes on as if the site had been deployed.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import IO, Any, NoReturn

ROOT = Path(__file__).resolve().parents[1]


def check(arguments: Sequence[str]) -> None:
    """Stop with exit code 1 where the command line names what there is not, or what nobody would do."""
    from pyinfra_cli.cli import cli  # pyinfra's own idea of its command line

    parameters = cli.make_context("pyinfra", list(arguments), resilient_parsing=True).params
    inventory = parameters.get("inventory") or ""
    if inventory.endswith(".py") and not Path(inventory).is_file():
        _refuse(f"{inventory}: no such inventory. There are: {_inventories()}.")
    if parameters.get("dry") and parameters.get("yes"):
        _refuse("--dry with -y shows nothing: pyinfra does not look for changes then. Leave -y out.")
    _check_data(parameters.get("operations") or (), parameters.get("data") or ())
    if inventory.endswith(".py"):
        _check_limits(inventory, [*(parameters.get("limit") or ()), *(parameters.get("exclude") or ())])


def exit_with_an_error_on_interrupt() -> None:
    """Have Ctrl-C end the run with exit code 130 instead of pyinfra's 0."""

    def interrupted(*_: object) -> None:
        sys.stderr.write(
            "\nInterrupted: the site is as far as the log above says. Run the same command again.\n"
        )
        sys.stderr.flush()
        os._exit(130)

    signal.signal(signal.SIGINT, interrupted)


# Commands that only look: nothing is to be confirmed.
LOOKS = ("status", "drift", "logs", "smoke")


def end_with(code: int) -> None:
    """Have the run end with this exit code, where no host fails (that is 1)."""
    global _code
    _code = code


_code = 0


def answer_for_themselves(arguments: Sequence[str]) -> None:
    """Let commands of ops/ choose their exit code, and those that only look go ahead without a question."""
    from pyinfra import state
    from pyinfra.context import ctx_state
    from pyinfra_cli import cli

    def leave() -> NoReturn:
        sys.exit(1 if ctx_state.isset() and state.failed_hosts else _code)

    cli._exit = leave
    if any(argument.endswith(f"ops/{name}.py") for argument in arguments for name in LOOKS):
        from steps.looking import connect_to_all_that_answer

        cli._do_confirm = lambda msg: True
        cli.connect_all = connect_to_all_that_answer


def keep_tracebacks_for_bugs() -> None:
    """Let a host that fails while an operation looks at it be told of once, in words.

    pyinfra says which host and why, and ends the run; but it does so by an exception in the operation's
    greenlet, which gevent prints with everything that led to it. A mistake of the operator is no place in a
    file either.
    """
    import gevent
    from pyinfra.api.exceptions import PyinfraError
    from pyinfra_cli.exceptions import WrappedError

    from steps.options import Mistake

    show = WrappedError.show

    def in_words(self: WrappedError, file: IO[Any] | None = None) -> None:
        if isinstance(self.exception, Mistake):
            sys.stderr.write(f"\n{self.message}\n")
        else:
            show(self, file)

    WrappedError.show = in_words

    hub = gevent.get_hub()
    hub.NOT_ERROR = (*hub.NOT_ERROR, PyinfraError)


def _check_data(operations: Iterable[str], data: Iterable[str]) -> None:
    """Stop at a `--data` that none of our commands of this run knows."""
    from steps.options import KEYS, PYINFRA_KEYS

    ours = [name for name in KEYS if any(Path(one).resolve() == ROOT / name for one in operations)]
    known = sorted({key for name in ours for key in KEYS[name]})
    for one in data:
        key, equals, _ = one.partition("=")
        if not equals:
            _refuse(f"--data {one}: say KEY=VALUE, such as host=gpu-1.")
        if ours and key not in known and not key.startswith(PYINFRA_KEYS):
            know = "knows" if len(ours) == 1 else "know"
            _refuse(f"--data {one}: {' and '.join(ours)} {know} no {key}, only: {', '.join(known)}.")


def _check_limits(inventory: str, limits: Iterable[str]) -> None:
    limits = list(limits)
    if not limits:
        return
    from fleet import load_or_exit

    hosts = [member.host for member in load_or_exit(Path(inventory)).members]
    groups = ["all", "gateway", "gpu", Path(inventory).stem]
    for limit in limits:
        if limit not in groups and not any(fnmatch(host, limit) for host in hosts):
            _refuse(
                f"--limit {limit} matches nothing in {inventory}. "
                f"Hosts: {', '.join(hosts)}; groups: gateway, gpu."
            )


def _inventories() -> str:
    return ", ".join(sorted(str(path) for path in Path("inventory").glob("*.py"))) or "none in inventory/"


def _refuse(message: str) -> NoReturn:
    sys.stderr.write(f"{message}\n")
    sys.exit(1)

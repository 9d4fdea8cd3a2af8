"""A clear end for one host: the operator reads a sentence instead of a traceback."""

from __future__ import annotations

from typing import Any

from pyinfra import logger
from pyinfra.api import FunctionCommand


def complain(host: Any, message: str) -> bool:
    """Say to the operator, line by line, what is wrong with a host. False, for a command to fail with."""
    for line in message.splitlines():
        host.log_styled(line, fg="red", log_func=logger.error)
    return False


def refuse(message: str) -> FunctionCommand:
    """A command that fails its host with `message`.

    Raised from an operation, an exception ends the whole run on the spot, before other hosts have said what
    is wrong with them; a failed command ends it at the end of the operation.
    """

    def refusal(state: Any, host: Any) -> bool:
        return complain(host, message)

    return FunctionCommand(refusal, (), {})

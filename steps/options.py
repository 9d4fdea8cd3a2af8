"""What a command of ops/ is told by `--data key=value`, and the end of a command that is told nonsense."""

from __future__ import annotations

from pyinfra import host
from pyinfra.api.exceptions import PyinfraError


class Mistake(PyinfraError):
    """The command line asks for what cannot be: the run ends with this line, before anything is done."""


def option(name: str) -> str:
    """The words of `--data name=…`; empty where it is not given.

    Not `host.data.get`: that answers some names (`host`) from itself.
    """
    return str(host.data.dict().get(name) or "")

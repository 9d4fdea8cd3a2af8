"""The lab's own pyinfra operation: do a thing unless it is done."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

from pyinfra import host
from pyinfra.api import FunctionCommand, operation

from steps.refusal import complain


@operation()
def once(is_done: Callable[[], bool], do: Callable[[], object]):
    """Call ``do`` on the machine unless ``is_done()``; a run that finds everything done changes nothing.

    What the lab itself finds wrong (RuntimeError, a program that fails, a file that is not there)
    ends the run in its own words; any other exception is a mistake of ours and keeps its traceback.
    """
    if is_done():
        host.noop("is done")
        return

    def attempt(state: Any, host: Any) -> bool:
        try:
            do()
        except subprocess.CalledProcessError as error:
            said = (error.stderr or error.stdout or "").strip()
            complain(host, f"{' '.join(map(str, error.cmd))} failed ({error.returncode}): {said}")
        except (RuntimeError, OSError, subprocess.TimeoutExpired) as error:
            complain(host, str(error))
        else:
            return True
        return False

    yield FunctionCommand(attempt, (), {})

"""What an operator sees of errors: those of hosts in words, those of ours with all that led to them."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import gevent
from pyinfra.api.exceptions import PyinfraError
from steps.commandline import keep_tracebacks_for_bugs

keep_tracebacks_for_bugs()

def fail():
    raise {error}("the reason")

greenlet = gevent.spawn(fail)
greenlet.join()
assert not greenlet.successful()
"""


@pytest.mark.parametrize(("error", "printed"), [("PyinfraError", False), ("ValueError", True)])
def test_only_a_bug_is_printed_with_a_traceback(error: str, printed: bool) -> None:
    # In a process of its own: gevent's hub is this process's, too.
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(error=error)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert ("Traceback" in done.stderr) == printed

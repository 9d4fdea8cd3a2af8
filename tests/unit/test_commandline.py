"""What an operator sees of errors: those of hosts in words, those of ours with all that led to them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from steps.options import KEYS

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


def checked(words: str) -> subprocess.CompletedProcess[str]:
    """A command line, as looked at before anything else is done."""
    program = "import sys; from steps.commandline import check; check(sys.argv[1:])"
    command = [sys.executable, "-c", program, *words.split()]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("-y --dry inventory/lab.py deploy.py", "--dry with -y shows nothing"),
        (
            "-y inventory/lab.py ops/rollback.py --data projct=debate",
            "ops/rollback.py knows no projct, only:",
        ),
        ("-y inventory/lab.py deploy.py --data purge=debate", "only: break_lock, purge_data"),
        ("-y inventory/lab.py ops/drain.py --data gpu-2", "say KEY=VALUE, such as host=gpu-1"),
        ("-y inventory/prodd.py deploy.py", "no such inventory"),
    ],
)
def test_what_nobody_means_is_refused(words: str, told: str) -> None:
    done = checked(words)
    assert done.returncode == 1
    assert told in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        "--dry inventory/lab.py deploy.py",
        "-y inventory/lab.py ops/drain.py --data host=gpu-2 --data why=psu --data ssh_user=ops",
        # A key of somebody's own operations is theirs.
        "-y inventory/lab.py exec --data anything=1 -- uptime",
    ],
)
def test_what_is_meant_passes(words: str) -> None:
    done = checked(words)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", KEYS)
def test_a_command_knows_every_key_that_it_reads(name: str) -> None:
    text = Path(name).read_text()
    read = set(re.findall(r'(?:option|flag)\("(\w+)"\)', text)) | set(re.findall(r"--data (\w+)=", text))
    assert read <= set(KEYS[name]), name
    assert ("break_lock" in KEYS[name]) == bool(re.search(r"^ *lock\(", text, re.MULTILINE))


def test_every_command_is_known() -> None:
    assert set(KEYS) == {"deploy.py", *(str(path) for path in Path("ops").glob("*.py"))}

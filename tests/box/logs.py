"""What the studios said, beside a failure that they may be the reason of."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.box.lab import describe

LINES = 60
_SCRIPT = f"""
for id in $(docker ps --all --quiet --filter label=vibevoice.project); do
    docker inspect --format '== {{{{.Name}}}}: {{{{.State.Status}}}}, {{{{.RestartCount}}}} restarts' $id
    docker logs --tail {LINES} $id 2>&1
done
"""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Put the last lines of every studio below a test that failed."""
    report: pytest.TestReport = yield  # type: ignore[assignment]
    if report.failed and call.excinfo and not call.excinfo.errisinstance(KeyboardInterrupt):
        report.sections.append(("The studios' last lines", _last_lines()))
    return report  # type: ignore[return-value]


def _last_lines() -> str:
    try:
        lab = describe()
    except AssertionError as error:
        return str(error)
    told = []
    for node in sorted(name for name in lab.hosts if name.startswith("gpu-")):
        told.append(f"{node}:\n{_ask(lab.ssh_config, node)}")
    return "\n".join(told)


def _ask(config: Path, node: str) -> str:
    argv = ["ssh", "-F", str(config), "-o", "ConnectTimeout=5", node, "sudo sh -s"]
    try:
        done = subprocess.run(
            argv, input=_SCRIPT, capture_output=True, text=True, errors="replace", timeout=20, check=False
        )
    except subprocess.TimeoutExpired:
        return "does not answer"
    return (done.stdout + done.stderr)[-20_000:]

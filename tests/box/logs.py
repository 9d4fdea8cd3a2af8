"""What the GPU hosts said, beside a failure that they may be the reason of."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.box.deploy import Deploy
from tests.box.lab import describe

# Whom Docker and the watch took for dead, and what the studios lived through beside their jobs.
_SCRIPT = r"""
lines=30 width=200
uptime
journalctl --unit vibevoice-watch --since -30min --lines $lines --no-pager --output short-iso
docker events --since 30m --until 0s --filter label=vibevoice.project --filter event=start \
    --filter event=die --filter event=oom --filter event=health_status \
    --format '{{.Time}} {{.Action}} {{index .Actor.Attributes "name"}}' | tail -n $lines
for id in $(docker ps --all --quiet --filter label=vibevoice.project); do
    docker inspect --format '== {{.Name}}: {{json .State}}, {{.RestartCount}} restarts' $id | cut -c 1-1000
    docker logs --tail 1000 $id 2>&1 | grep -v '"message": "\(Speaking\|Ended\)"' | tail -n $lines |
        cut -c 1-$width
done
"""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Put the last lines of every GPU host and studio below a test that failed."""
    report: pytest.TestReport = yield  # type: ignore[assignment]
    if report.failed:
        # What it did by hand may still be there.
        Deploy.declared = False
    if report.failed and call.excinfo and not call.excinfo.errisinstance(KeyboardInterrupt):
        report.sections.append(("The GPU hosts' last lines", _last_lines()))
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

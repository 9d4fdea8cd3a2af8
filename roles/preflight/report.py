"""The preflight's findings for people (a table) and for programs (a file)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from fleet import whole
from roles.preflight.judge import Finding

COLOURS = {"error": "red", "warning": "yellow"}


def write(path: Path, hosts: Mapping[str, Sequence[Finding]]) -> None:
    """Write `{time, ok, hosts: {host: {ok, findings: […]}}}`, whole or not at all."""
    report = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "ok": not any(failed(findings) for findings in hosts.values()),
        "hosts": {
            host: {"ok": not failed(findings), "findings": [finding.as_dict() for finding in findings]}
            for host, findings in sorted(hosts.items())
        },
    }
    whole.write(path, json.dumps(report, indent=2) + "\n")


def show(hosts: Mapping[str, Sequence[Finding]], console: Console | None = None) -> None:
    """Print the findings, if any, as a table on standard error, where pyinfra's own words go."""
    findings = [finding for host in sorted(hosts) for finding in hosts[host]]
    if not findings:
        return
    table = Table("Host", "", "What is wrong", "What to do", title="Preflight", title_justify="left")
    for finding in sorted(findings, key=lambda finding: (finding.severity, finding.host)):
        colour = COLOURS[finding.severity]
        table.add_row(finding.host, f"[{colour}]{finding.severity}[/]", finding.what, finding.remedy)
    (console or Console(stderr=True)).print(table)


def failed(findings: Sequence[Finding]) -> bool:
    """Whether one of them stops the run."""
    return any(finding.severity == "error" for finding in findings)

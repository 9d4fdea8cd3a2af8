"""What runs write side by side is there, whole, at every moment."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fleet import whole

RUNS, TIMES = 8, 50


def test_runs_side_by_side_all_write_and_whoever_reads_sees_one_of_them(tmp_path: Path) -> None:
    path = tmp_path / "state" / "report.json"
    texts = {f"{run}" * 10_000 for run in range(RUNS)}

    def run(text: str) -> None:
        for _ in range(TIMES):
            whole.write(path, text)
            assert path.read_text() in texts

    with ThreadPoolExecutor(RUNS) as runs:
        for done in [runs.submit(run, text) for text in texts]:
            done.result()
    assert [one.name for one in path.parent.iterdir()] == ["report.json"], "nothing is left beside it"


def test_a_failure_leaves_the_old_text_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    whole.write(path, "old")
    with pytest.raises(UnicodeEncodeError):
        whole.write(path, "\ud800")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("mode", "there"), [(0o666, 0o644), (0o600, 0o600)])
def test_who_may_read_it_is_as_said_less_the_umask(tmp_path: Path, mode: int, there: int) -> None:
    before = os.umask(0o022)
    try:
        whole.write(tmp_path / "report.json", "new", mode)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "report.json").stat().st_mode) == there

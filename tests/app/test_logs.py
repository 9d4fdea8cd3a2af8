"""The log is for machines unless a person asks: a JSON object a line, with jobs and without their words."""

import json
import logging
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator

import httpx
import pytest
from running import APP, Process, wait_for
from vibevoice import logs

log = logging.getLogger("vibevoice.test")


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """What this process writes to its standard error; its own logging comes back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    # Else logging would close them.
    root.handlers.clear()
    yield lambda: capsys.readouterr().err
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


def lines(written: Callable[[], str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in written().splitlines()]


def test_a_line_is_an_object_with_time_level_logger_and_message(written: Callable[[], str]) -> None:
    logs.configure("json")
    log.warning("It took %d s — 很久", 3)
    (line,) = lines(written)
    time = str(line.pop("time"))
    assert len(time) == len("2026-11-25T07:30:00.123Z")
    assert time.endswith("Z")
    assert line == {"level": "warning", "logger": "vibevoice.test", "message": "It took 3 s — 很久"}


def test_a_line_names_its_job_and_user(written: Callable[[], str]) -> None:
    logs.configure("json")
    log.info("Claimed", extra={"job": "job_1", "user": "ana"})
    (line,) = lines(written)
    assert (line["job"], line["user"]) == ("job_1", "ana")


def test_no_other_field_gets_in(written: Callable[[], str]) -> None:
    logs.configure("json")
    log.info("Claimed", extra={"script": "Speaker 1: A secret."})
    assert "secret" not in written()


def test_an_exception_stays_on_its_line(written: Callable[[], str]) -> None:
    logs.configure("json")
    try:
        raise OSError("no such disk")
    except OSError:
        log.exception("Lost")
    (line,) = lines(written)
    assert "no such disk" in str(line["exception"])


def test_warnings_of_others_are_lines_too(written: Callable[[], str]) -> None:
    logs.configure("json")
    warnings.warn("this will be gone in 2027", stacklevel=1)
    assert "this will be gone" in str(lines(written)[-1]["message"])


def test_a_terminal_gets_words(written: Callable[[], str]) -> None:
    logs.configure("text")
    log.info("Claimed", extra={"job": "job_1"})
    assert written().endswith("INFO vibevoice.test: Claimed job=job_1\n")


@pytest.mark.parametrize(("format", "first"), [("json", "{"), ("text", "2")])
def test_the_engines_process_writes_as_the_studio_does(format: str, first: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", "import os, logging\nfrom vibevoice import logs\n"
         "logs.configure(os.environ.get(logs.VARIABLE))\nlogging.getLogger('x').info('here')"],
        env={"PYTHONPATH": str(APP), logs.VARIABLE: format}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ended.stderr.startswith(first)


def test_a_studio_logs_whose_job_it_spoke_and_none_of_its_words(start: Callable[..., Process]) -> None:
    with start() as studio:
        studio.wait_until("/health/ready", 200)
        job = studio.submit("Speaker 1: Marmalade.", title="Quince")
        wrong = {"input": "Speaker 1: [pause:1s Medlar."}
        assert httpx.post(f"{studio.url}/v1/jobs", json=wrong).status_code == 400
        wait_for(lambda: studio.job(job)["state"] == "done")
        studio.process.terminate()
        _, errors = studio.end()
    said = [json.loads(line) for line in errors.splitlines()]
    assert any(line.get("job") == job and line.get("state") == "done" for line in said)
    assert not any(word in errors for word in ("Marmalade", "Quince", "Medlar"))

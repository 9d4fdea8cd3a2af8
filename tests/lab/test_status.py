"""The commands that look, held against what the hosts themselves say: status, logs and smoke on the lab."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from testinfra.host import Host

from tests.box import containers
from tests.box.deploy import Deploy, Run
from tests.box.fixtures import Hosts, JobsOf
from tests.box.lab import command

# Three on a machine with nothing else to do; hosts and tests share this one.
STATUS_WITHIN_S = 6
# What a dead host may add: the time after which it is given up.
DEAD_S = 5
SCRIPT = "Speaker 1: Nobody else shall ever read the word periwinkle."
DOWN = "gpu-2"


def look(name: str, *options: str, code: int | None = 0) -> Run:
    """Run a command without -y, as it is meant to be; `code` is how it has to end, None: as it likes."""
    data = [word for option in options for word in ("--data", option)]
    run = Deploy(*data, operations=f"ops/{name}.py", log=f"look-{name}").wait(60)
    assert code is None or run.code == code, f"{run.stdout}\n{run.tail}"
    assert "Traceback" not in run.text, run.tail
    return run


def answer(name: str, *options: str, code: int | None = 0) -> dict[str, Any]:
    return look(name, *options, "json=1", code=code).json


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    return answer("status")


def test_status_is_told_within_seconds() -> None:
    begin = time.monotonic()
    look("status")
    assert time.monotonic() - begin < STATUS_WITHIN_S


def test_status_shows_the_hosts_as_they_are(told: dict[str, Any], hosts: Hosts) -> None:
    assert told["ok"], told["wrong"]
    rows = {row["host"]: row for row in told["hosts"]}
    assert set(rows) == {"gateway", "gpu-1", "gpu-2"}
    for name, row in rows.items():
        host = hosts[name]
        assert row["up"] and row["kernel"] == host.check_output("uname -r")
        assert row["release"] == host.check_output('. /etc/os-release; echo "$ID $VERSION_ID"')
        free = int(host.check_output("df -P -B1 /srv | awk 'NR == 2 {print $4}'"))
        assert abs(row["disks"]["/srv"]["free"] - free) < 2 * 2**30
        assert row["drained"] is None and not row["reboot_required"]
        assert all(one["status"] == "running" for one in row["services"])


def test_status_shows_each_gpu_and_the_studio_that_holds_it(told: dict[str, Any], hosts: Hosts) -> None:
    for name in ("gpu-1", "gpu-2"):
        rows = [row for row in told["gpus"] if row["node"] == name]
        listed = hosts[name].check_output("nvidia-smi --query-gpu=uuid --format=csv,noheader").split()
        assert [row["uuid"] for row in rows] == listed
        holders = {one.gpus[0].partition("=")[2]: one.name for one in containers.studios(hosts[name])}
        assert {row["uuid"]: row["held_by"] for row in rows} == holders


def test_status_shows_the_studios_and_versions_that_run(told: dict[str, Any], hosts: Hosts) -> None:
    there = {one.name for name in ("gpu-1", "gpu-2") for one in containers.studios(hosts[name])}
    assert {row["container"] for row in told["studios"]} == there
    for row in told["studios"]:
        assert (row["status"], row["health"], row["state"]) == ("running", "healthy", "ready")
        assert row["container"].endswith(f"-{row['spec']}") and row["image"].startswith("sha256:")
    newest = told["versions"][-1]
    assert {row["project"]: row["version"] for row in told["projects"]} == {
        "podcast": newest["n"],
        "debate": newest["n"],
    }
    lines = hosts["gateway"].check_output("cat /srv/vibevoice/versions.jsonl").splitlines()
    assert len(told["versions"]) == len(lines)


def test_status_shows_the_certificate(told: dict[str, Any], hosts: Hosts) -> None:
    asked = "openssl s_client -connect 10.77.0.10:443 -servername studio.lab.test </dev/null 2>/dev/null"
    ends = hosts["gateway"].check_output(
        f'date +%s -d "$({asked} | openssl x509 -noout -enddate | cut -d= -f2)"'
    )
    assert abs(told["certificate"]["days"] - (int(ends) - time.time()) / 86400) < 0.1
    assert "Pebble" in told["certificate"]["issuer"]


def test_status_is_a_page_for_people_too(hosts: Hosts) -> None:
    text = look("status").stdout
    for one in containers.studios(hosts["gpu-1"]):
        assert re.search(
            rf"^podcast +gpu-1 +{one.slot} +{one.name} .* healthy .* ready +(ready|asleep)", text, re.M
        ), text
    assert text.rstrip().endswith("All is well.")


@pytest.fixture
def stopped(hosts: Hosts) -> Iterator[containers.Studio]:
    """One of podcast's two studios has been killed by hand, so that Docker leaves it so."""
    node = hosts["gpu-1"]
    studio = containers.studios(node)[0]
    node.check_output("docker kill %s", studio.name)
    yield studio
    node.check_output("docker start %s", studio.name)
    _until(lambda: _healthy(node, studio.name), f"{studio.name} healthy")
    _until(lambda: answer("status", code=None)["ok"], "all well again")


def test_a_studio_that_was_killed_is_told(stopped: containers.Studio) -> None:
    told = answer("status", code=1)
    assert not told["ok"]
    assert [(one["where"], one["what"]) for one in told["wrong"]] == [("gpu-1", "podcast has 1 of 2 studios")]
    rows = {row["container"]: row for row in told["studios"]}
    assert rows[stopped.name]["status"] == "exited"
    held = {row["slot"]: row["held_by"] for row in told["gpus"] if row["node"] == "gpu-1"}
    assert held[stopped.slot] == ""
    # Its log is there as long as it is, however long ago it said something.
    said = answer("logs", "project=podcast", "lines=10000")["lines"]
    assert stopped.name in {row["container"] for row in said}


def test_jobs_at_work_are_counted_and_their_log_has_no_word_of_the_script(
    jobs_of: JobsOf, hosts: Hosts
) -> None:
    with jobs_of("podcast", "li") as jobs:
        id_ = jobs.submit("\n".join([SCRIPT] * 60))
        try:
            jobs.speaking(id_)
            # A studio counts its project's jobs every few seconds.
            _until(lambda: _jobs() == {"podcast": (1, 0), "debate": (0, 0)}, "counted", 20)
            said = answer("logs", f"job={id_}", "since=10m")["lines"]
            assert {row["job"] for row in said} == {id_} and {row["host"] for row in said} == {"gpu-1"}
            assert "Speaking" in {row["message"] for row in said}
            shown = look("logs", "project=podcast", "lines=2000").stdout
            assert id_ in shown and "periwinkle" not in shown
        finally:
            jobs.delete(id_)


def test_logs_of_several_hosts_are_one_in_order_and_no_more_than_asked_for() -> None:
    said = answer("logs", "service=node-proxy", "lines=40")
    times = [row["time"] for row in said["lines"]]
    assert times == sorted(times) and 0 < len(times) <= 40
    apart = answer("logs", "service=node-proxy", "host=gpu-2", "lines=5")["lines"]
    assert {row["host"] for row in apart} == {"gpu-2"} and len(apart) <= 5


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "podcast, debate"),
        (("project=podcst",), "There are: podcast, debate."),
        (("project=podcast", "host=gpu-3"), "There are: gateway, gpu-1, gpu-2."),
        (("service=doors",), "There are: traefik, door, registry"),
    ],
)
def test_a_wrong_name_is_refused_with_those_there_are(options: tuple[str, ...], words: str) -> None:
    run = look("logs", *options, code=1)
    assert words in run.text
    assert run.stdout == ""


def test_the_site_answers_from_outside_as_it_should() -> None:
    told = answer("smoke")
    assert told["ok"] and not told["notes"]
    asked = {(row["check"], row["where"]) for row in told["checks"]}
    assert {("ready", "podcast"), ("ready", "debate"), ("waiting page", "debate")} <= asked
    assert {
        ("certificate", "studio.lab.test"),
        ("no other port", "gateway"),
        ("no other port", "gpu-1"),
    } <= asked
    assert "The site answers as it should." in look("smoke").stdout


@pytest.fixture(scope="module")
def halted(hosts: Hosts) -> Iterator[None]:
    """A node is off; it is back, with its studio, at the end."""
    command("halt", DOWN)
    yield
    command("boot", DOWN)
    (studio,) = containers.studios(hosts[DOWN])
    _until(lambda: _healthy(hosts[DOWN], studio.name), f"{studio.name} healthy")
    _until(lambda: answer("status", code=None)["ok"], "all well again")


@pytest.mark.thorough
def test_a_host_that_is_down_is_a_row_and_hides_no_other(halted: None) -> None:
    begin = time.monotonic()
    told = answer("status", code=1)
    assert time.monotonic() - begin < STATUS_WITHIN_S + DEAD_S
    down = next(row for row in told["hosts"] if row["host"] == DOWN)
    assert not down["up"] and down["why"]
    assert [row["host"] for row in told["hosts"] if row["up"]] == ["gateway", "gpu-1"]
    assert {row["project"] for row in told["studios"]} == {"podcast"}
    assert [one["where"] for one in told["wrong"]] == [DOWN]
    assert re.search(rf"^{DOWN} +down ", look("status", code=1).stdout, re.M)


@pytest.mark.thorough
def test_logs_and_smoke_tell_of_it_and_of_all_others(halted: None) -> None:
    said = answer("logs", "service=node-proxy", "lines=20", code=1)
    assert set(said["silent"]) == {DOWN}
    assert {row["host"] for row in said["lines"]} == {"gpu-1"}
    told = answer("smoke", code=1)
    assert [(row["check"], row["where"]) for row in told["checks"] if not row["ok"]] == [("ready", "debate")]


def _jobs() -> dict[str, tuple[int, int]]:
    """Jobs running and waiting, by project."""
    return {row["project"]: (row["running"], row["waiting"]) for row in answer("status")["projects"]}


def _healthy(node: Host, container: str) -> bool:
    return node.run("docker inspect -f '{{.State.Health.Status}}' %s", container).stdout.strip() == "healthy"


def _until(seen: Callable[[], bool], what: str, limit_s: float = 90) -> None:
    deadline = time.monotonic() + limit_s
    while not seen():
        assert time.monotonic() < deadline, f"not {what} within {limit_s:.0f} s"
        time.sleep(1)

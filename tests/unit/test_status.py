"""How the site is, told from what the lab's hosts printed: whole, with parts gone, with hosts down."""

from __future__ import annotations

import fcntl
import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fleet import Site
from fleet.outside import Certificate
from roles.lock.holder import LOOK, PATH
from roles.status import history
from roles.status.facts import GPU_FIELDS, Seen, gpus, parse
from roles.status.judge import Answers
from roles.status.report import report
from roles.status.tables import span, tables
from steps.files import render
from tests.unit.examples import example_site
from tests.unit.real_programs import complaints

CAPTURED = Path(__file__).parent / "captured" / "status"
HOSTS = ("gateway", "gpu-1", "gpu-2")
# The hosts' clock when they were asked.
NOW = 1795879444.0
GOOD = Certificate("Lab CA", time.time() + 60 * 86400)
SLOT_1 = "GPU-ed6d041f-f97e-5e77-9c91-1715a7eebf37"
STUDIO_1 = "vv-podcast-1-12f29751"


@pytest.fixture
def site() -> Site:
    project = {"model": "tiny", "users": ["ana"]}
    return example_site(
        name="lab",
        gateway={"host": "gateway", "address": "10.77.0.10"},
        nodes=[
            {"host": "gpu-1", "gpus": 2, "gpu_memory": "48GiB"},
            {"host": "gpu-2", "gpus": 1, "gpu_memory": "48GiB"},
        ],
        projects=[
            {"name": "podcast", "node": "gpu-1", "gpus": 2, **project},
            {"name": "debate", "node": "gpu-2", "gpus": 1, **project},
        ],
    )


def seen(host: str, *changes: tuple[str, str]) -> Seen:
    """A host of the lab as it was, with other words in its answer; each has to be there."""
    text = (CAPTURED / f"{host}.txt").read_text()
    for before, after in changes:
        assert before in text, before
        text = text.replace(before, after)
    return parse(text.splitlines(), "lab")


def told(site: Site, certificate: Certificate | str = GOOD, **answers: Seen | str) -> dict[str, Any]:
    """The answer of a lab of which some hosts answer differently; gpu_1 is gpu-1."""
    every: Answers = {host: answers.get(host.replace("-", "_")) or seen(host) for host in HOSTS}
    answer = report(site, every, certificate, NOW)
    json.dumps(answer)
    return answer


def words(answer: dict[str, Any]) -> list[str]:
    """What is wrong, as an operator reads it."""
    return [f"{one['where']}: {one['what']}" for one in answer["wrong"]]


def cells(answer: dict[str, Any]) -> dict[str, list[tuple[str, ...]]]:
    """The tables' rows by title; as long as their headings."""
    found = [one for one in tables(answer, NOW) if not isinstance(one, str)]
    for title, columns, rows in found:
        assert all(len(row) == len(columns) for row in rows), title
    return {title: rows for title, _, rows in found}


def test_a_site_as_it_should_be_is_told_whole(site: Site) -> None:
    answer = told(site)
    assert answer["ok"] and answer["wrong"] == []
    assert [(row["host"], row["up"]) for row in answer["hosts"]] == [(host, True) for host in HOSTS]
    assert [(row["project"], row["slot"], row["engine"]) for row in answer["studios"]] == [
        ("podcast", 0, "ready"),
        ("podcast", 1, "ready"),
        ("debate", 0, "ready"),
    ]
    (podcast, debate) = answer["projects"]
    assert (podcast["studios"], podcast["declared"], podcast["running"], podcast["version"]) == (2, 2, 0, 1)
    # Three jobs were spoken when the lab was asked.
    assert (debate["running"], debate["waiting"], debate["version"]) == (3, 0, 1)
    assert tables(answer, NOW)[-1] == "All is well."


def test_a_run_with_a_limit_speaks_for_the_hosts_it_asked_alone(site: Site) -> None:
    answer = report(site, {"gpu-1": seen("gpu-1")}, GOOD, NOW)
    assert answer["not_asked"] == ["gateway", "gpu-2"]
    assert tables(answer, NOW)[-1] == "All is well on gpu-1; not asked: gateway, gpu-2."


def test_every_table_shows_what_the_answer_has(site: Site) -> None:
    shown = cells(told(site))
    assert [row[0] for row in shown["Hosts"]] == list(HOSTS)
    assert shown["Hosts"][0][2:5] == ("debian 13", "6.18.44-fc-v669", "23 min")
    assert shown["Hosts"][0][8] == "4 up"
    assert shown["GPUs"][1] == (
        *("gpu-1", "1", "NVIDIA RTX 6000 Ada Generation", SLOT_1, "4 / 49140", "580.178.04", STUDIO_1),
    )
    assert shown["Studios"][0][3:6] == ("vv-podcast-0-04e6991d", "50345be66e9b", "healthy")
    assert shown["Projects"][0][:6] == ("podcast", "gpu-1", "2 of 2", "0", "0", "1")
    assert shown["Versions"] == [
        ("1", "2026-11-28 15:23:39", "root@vm", "c3449cf762 (changed)", "deploy", "")
    ]


def test_a_host_that_is_down_is_a_row_with_its_reason_and_hides_no_other(site: Site) -> None:
    answer = told(site, gpu_2="Could not connect (timed out)")
    assert words(answer) == ["gpu-2: down: Could not connect (timed out)"]
    down = cells(answer)["Hosts"][2]
    assert down[:2] == ("gpu-2", "down") and down[-1] == "Could not connect (timed out)"
    assert {row["project"] for row in answer["studios"]} == {"podcast"}
    debate = answer["projects"][1]
    assert (debate["studios"], debate["running"], debate["version"]) == (0, None, None)
    assert cells(answer)["Projects"][1][:6] == ("debate", "gpu-2", "0 of 1", "?", "?", "-")


def test_a_site_of_which_nobody_answers_is_told_all_the_same(site: Site) -> None:
    answer = told(site, "port 443 does not answer", gateway="down", gpu_1="down", gpu_2="down")
    assert len(answer["hosts"]) == 3 and not any(row["up"] for row in answer["hosts"])
    assert len(words(answer)) == 4
    assert answer["lock"] is None and answer["versions"] == []
    assert cells(answer)["Hosts"]


def test_a_host_outside_the_limit_is_not_called_down(site: Site) -> None:
    answer = report(site, {"gpu-2": seen("gpu-2")}, GOOD, NOW)
    assert [row["host"] for row in answer["hosts"]] == ["gpu-2"]
    assert [row["project"] for row in answer["projects"]] == ["debate"]
    assert answer["ok"]


EXITED = ('podcast-1-12f29751","status":"running"', 'podcast-1-12f29751","status":"exited"')


def test_a_studio_that_has_ended_is_counted_and_named(site: Site) -> None:
    answer = told(site, gpu_1=seen("gpu-1", EXITED))
    assert words(answer) == ["gpu-1: podcast has 1 of 2 studios"]
    assert cells(answer)["Studios"][1][5] == "exited (0)"
    # What is left of it is of the same version.
    assert answer["projects"][0]["version"] == 1


def test_on_a_drained_node_nothing_is_missing_and_its_row_says_who_and_why(site: Site) -> None:
    mark = json.dumps({"who": "ops@desk", "since": int(NOW) - 300, "why": "new PSU"})
    node = seen("gpu-1", EXITED, ("cpus 2", f"cpus 2\ndrained {mark}"))
    answer = told(site, gpu_1=node)
    assert answer["ok"], words(answer)
    row = cells(answer)["Hosts"][1]
    assert (row[1], row[-1]) == ("drained", "drained for 5 min by ops@desk (new PSU)")


def test_an_empty_mark_drains_as_well(site: Site) -> None:
    assert told(site, gpu_1=seen("gpu-1", EXITED, ("cpus 2", "cpus 2\ndrained ")))["hosts"][1]["drained"]


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        ('29751","status":"running"', '29751","status":"restarting"', "restarts again and again"),
        ('"health":"healthy","restarts":0', '"health":"healthy","restarts":7', "has restarted 7 times"),
        ('"health":"healthy"', '"health":"unhealthy"', "is unhealthy"),
        ('"engine":"ready"', '"engine":"failed"', "has failed"),
        ('"paused":""', '"paused":"disk_full"', "takes no job: disk_full"),
    ],
)
def test_a_studio_in_trouble_is_named(site: Site, before: str, after: str, what: str) -> None:
    answer = told(site, gpu_1=seen("gpu-1", (before, after)))
    assert any(f"{STUDIO_1} {what}" in one for one in words(answer)), words(answer)


def test_a_studio_that_says_nothing_is_named_unless_it_has_just_begun(site: Site) -> None:
    silent = ('{"state":"ready","project":"debate"', '{"state"')
    assert words(told(site, gpu_2=seen("gpu-2", silent))) == [
        "gpu-2: vv-debate-0-c5d7ef66 does not answer on /health/ready"
    ]
    assert cells(told(site, gpu_2=seen("gpu-2", silent)))["Studios"][2][8] == "silent"
    begun = seen("gpu-2", silent, ('"health":"healthy"', '"health":"starting"'))
    assert told(site, gpu_2=begun)["ok"]


def test_the_states_of_a_studio_that_is_replaced_are_no_trouble(site: Site) -> None:
    draining = seen(
        "gpu-2", ('"state":"ready"', '"state":"draining"'), ('"engine":"ready"', '"engine":"closed"')
    )
    assert told(site, gpu_2=draining)["ok"]


def test_a_gpu_that_is_gone_is_a_row_with_its_uuid_and_its_studio(site: Site) -> None:
    text = (CAPTURED / "gpu-1.txt").read_text()
    line = next(line for line in text.splitlines() if line.startswith("gpu ") and SLOT_1 in line)
    answer = told(site, gpu_1=seen("gpu-1", (line + "\n", "")))
    assert words(answer) == ["gpu-1: 1 of its 2 GPUs are there"]
    assert cells(answer)["GPUs"][1] == ("gpu-1", "1", "missing", SLOT_1, "", "", STUDIO_1)


def test_a_driver_that_does_not_answer_is_told_in_its_own_words(site: Site) -> None:
    text = (CAPTURED / "gpu-2.txt").read_text()
    line = next(line for line in text.splitlines() if line.startswith("gpu "))
    mismatch = "Failed to initialize NVML: Driver/library version mismatch"
    answer = told(site, gpu_2=seen("gpu-2", (line, f"gpu_error {mismatch}")))
    assert words(answer) == [f"gpu-2: nvidia-smi: {mismatch}"]
    assert cells(answer)["GPUs"][2][:3] == ("gpu-2", "0", "missing")


def test_gpus_are_in_pci_order_and_may_keep_their_memory_for_themselves() -> None:
    rows = ["00000000:3C:00.0, GPU-b, X, [N/A], 100, 580", "00000000:3B:00.0, GPU-a, X, 5, 100, 580"]
    found = gpus(rows)
    assert [(one.slot, one.uuid, one.memory_used) for one in found] == [(0, "GPU-a", 5), (1, "GPU-b", None)]
    assert len(GPU_FIELDS.split(",")) == rows[0].count(",") + 1


def test_a_service_that_is_gone_or_has_ended_is_named(site: Site) -> None:
    ended = ('vv-door-b","status":"running"', 'vv-door-b","status":"exited"')
    assert words(told(site, gateway=seen("gateway", ended))) == ["gateway: vv-door-b is exited (0)"]
    gone = ('"/vv-traefik"', '"/vv-trafik"')
    assert words(told(site, gateway=seen("gateway", gone))) == ["gateway: vv-traefik is missing"]


def test_a_docker_that_does_not_answer_is_told_once(site: Site) -> None:
    lines = [line for line in (CAPTURED / "gpu-2.txt").read_text().splitlines() if "container" not in line]
    node = parse([*lines, "docker_error Cannot connect to the Docker daemon"], "lab")
    assert words(told(site, gpu_2=node)) == [
        "gpu-2: Docker does not answer: Cannot connect to the Docker daemon"
    ]


def test_an_alarm_is_told_with_its_remedy(site: Site) -> None:
    alarm = json.dumps({"since": NOW, "what": "GPU-a is gone", "do": "Look at dmesg."})
    answer = told(site, gpu_1=seen("gpu-1", ("cpus 2", f"cpus 2\nalarm gpu {alarm}")))
    assert answer["wrong"] == [{"where": "gpu-1", "what": "alarm gpu: GPU-a is gone", "do": "Look at dmesg."}]
    assert cells(answer)["Hosts"][1][-1] == "alarm gpu"


def test_a_full_disk_and_a_wanted_reboot_are_told(site: Site) -> None:
    full = seen("gpu-1", ("disk /srv 270553174016 73692438528", "disk /srv 270553174016 1073741824"))
    assert words(told(site, gpu_1=full)) == ["gpu-1: /srv has 1.0 GiB of 252 GiB left"]
    wanted = told(site, gpu_2=seen("gpu-2", ("cpus 2", "cpus 2\nreboot linux-image dbus ")))
    # Somebody's plan for the night, and no fault.
    assert wanted["ok"] and cells(wanted)["Hosts"][2][-1] == "reboot required linux-image dbus"


@pytest.mark.parametrize(
    ("certificate", "what"),
    [
        (Certificate("Lab CA", time.time() + 5.2 * 86400), "its certificate ends in 5 days, unrenewed"),
        (Certificate("Lab CA", time.time() - 2 * 86400), "its certificate ends in -2 days, unrenewed"),
        ("no trusted certificate: self-signed", "no trusted certificate: self-signed"),
    ],
)
def test_a_certificate_that_ends_is_told(site: Site, certificate: Certificate | str, what: str) -> None:
    assert words(told(site, certificate)) == [f"studio.example.com: {what}"]


def test_whoever_deploys_is_named(site: Site) -> None:
    held = {"owner": "ops@desk", "pid": 7, "since": NOW - 600, "what": "drain gpu-1"}
    lock = json.dumps(held)
    answer = told(site, gateway=seen("gateway", ("cpus 2", f"cpus 2\nlock {lock}")))
    assert answer["ok"] and answer["lock"] == {key: held[key] for key in ("owner", "since", "what")}
    assert "ops@desk has held the site's lock for 10 min: drain gpu-1." in tables(answer, NOW)
    unread = told(site, gateway=seen("gateway", ("cpus 2", "cpus 2\nlock {")))
    assert "somebody has held the site's lock." in tables(unread, NOW)


def version(n: int, **projects: tuple[str, dict[int, str]]) -> dict[str, Any]:
    made = {
        name: {"node": node, "studios": [{"slot": slot, "spec": spec} for slot, spec in studios.items()]}
        for name, (node, studios) in projects.items()
    }
    return {"n": n, "projects": made}


def test_a_version_names_the_projects_that_it_changed() -> None:
    one = version(1, a=("n", {0: "x"}), b=("n", {1: "x"}))
    assert history.changed(version(2, a=("n", {0: "x"}), b=("n", {1: "y"})), one) == ["b"]
    assert history.changed(version(2, a=("m", {0: "x"}), c=("n", {1: "x"})), one) == ["a", "b", "c"]


def test_the_newest_version_with_the_running_specifications_is_the_one_that_runs(
    site: Site,
) -> None:
    containers = seen("gpu-1").containers
    specs = {0: "04e6991d", 1: "12f29751"}
    kept = [
        version(3, podcast=("gpu-1", specs)),
        version(4, podcast=("gpu-1", {**specs, 1: "other"})),
        version(5, podcast=("gpu-1", specs)),
        version(6, podcast=("gpu-1", {0: "other", 1: "other"})),
    ]
    assert history.running(kept, "podcast", containers) == 5
    assert history.running(kept[3:], "podcast", containers) is None
    assert history.running(kept, "debate", containers) is None


def test_a_version_that_was_cut_off_does_not_hide_the_others() -> None:
    assert [one["n"] for one in seen("gateway", ("cpus 2", 'cpus 2\nversion {"n": 3, "proj')).versions] == [1]


def test_containers_of_another_site_are_not_ours() -> None:
    lines = (CAPTURED / "gpu-1.txt").read_text().splitlines()
    assert parse(lines, "another").containers == ()


def test_an_answer_that_is_not_the_scripts_is_refused() -> None:
    with pytest.raises(ValueError, match="printed no time"):
        parse(["sh: 1: Syntax error"], "lab")


@pytest.mark.parametrize(
    ("seconds", "text"), [(5, "5 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (1e6, "12 days")]
)
def test_a_span_is_told_in_its_largest_unit(seconds: float, text: str) -> None:
    assert span(seconds) == text


Script = Callable[..., str]


@pytest.fixture
def script(tmp_path: Path) -> Script:
    def made(**paths: str) -> str:
        places = {name: str(tmp_path / name) for name in ("drained", "alarms", "versions")}
        places["look_at_lock"] = LOOK.replace(PATH, str(tmp_path / "lock"))
        return render("status/host.sh", gpu_fields=GPU_FIELDS, port=8888, **{**places, **paths})

    return made


def test_the_shell_accepts_the_script(script: Script, tmp_path: Path) -> None:
    (tmp_path / "host.sh").write_text(script())
    assert complaints(["sh", "-n", tmp_path / "host.sh"]) == ""


def test_what_the_script_prints_on_this_machine_is_understood(script: Script, tmp_path: Path) -> None:
    (tmp_path / "alarms").mkdir()
    (tmp_path / "alarms" / "disk").write_text('{"what": "full",\n "do": "x"}\n')
    (tmp_path / "drained").write_text("")
    (tmp_path / "lock").write_text("{}")
    (tmp_path / "versions").write_text('{"n": 1}\n{"n": 2}\n')
    free = parse(_printed(script), "lab")
    assert free.lock == "", "left behind by a holder that was killed"
    with (tmp_path / "lock").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        found = parse(_printed(script), "lab")
    assert found.alarms == {"disk": '{"what": "full",  "do": "x"}'}
    assert found.drained and found.lock == "{}"
    assert [one["n"] for one in found.versions] == [1, 2]
    assert found.uptime > 0 and found.kernel and "/srv" in found.disks


def _printed(script: Script) -> list[str]:
    done = subprocess.run(["sh", "-c", script()], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()

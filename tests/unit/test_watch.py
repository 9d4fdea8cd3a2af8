"""The watch of a GPU host: it exchanges what hangs, stops what has no GPU, and starts it again."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from roles.watch import ALARMS, SCRIPT, files
from steps.files import TEMPLATES
from tests.unit.examples import example_site
from tests.unit.real_programs import complaints

WATCH = TEMPLATES / "watch" / "watch.sh"
A, B = "GPU-aaaa", "GPU-bbbb"
GIB = 2**30

# Each notes what it is asked to do, and fails loudly on what it does not know.
DOCKER = """#!/bin/sh
case "$1 $2" in
"ps -aq") [ ! -s {folder}/studios ] || echo some ;;
"inspect --format") case $3 in *Status*) cat {folder}/studios ;; *) echo "1 1 1" ;; esac ;;
"start "* | "stop "* | "restart "*) echo "docker $*" >>{folder}/done ;;
*) exit 64 ;;
esac
"""
SMI = """#!/bin/sh
case $1 in -i) grep -x "$2" {folder}/gpus; exit ;; esac
cat {folder}/gpus; exit $(cat {folder}/smi)
"""
NOTE = """#!/bin/sh
echo "$(basename "$0") $*" >>{folder}/done
"""
# How a studio answers: the exit status of asking it.
CURL = """#!/bin/sh
for url; do :; done
[ "$url" = http://172.18.0.2:8888/health/live ] || exit 64
exit $(cat {folder}/answers)
"""
SILENT = 28
START_FAILS_ONCE = """#!/bin/sh
[ "$1" = start ] && [ ! -e {folder}/refreshed ] && touch {folder}/refreshed && exit 1
exec {folder}/real-docker "$@"
"""


class Host:
    """A GPU host as its programs show it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.alarms = folder, folder / "alarms"
        self.program("docker", DOCKER)
        self.program("nvidia-smi", SMI)
        self.program("curl", CURL)
        self.answers(SILENT)
        for name in ("logger", "systemctl"):
            self.program(name, NOTE)
        (folder / "projects/podcast").mkdir(parents=True)
        self.has(gpus=[A, B])
        self.studios()

    def program(self, name: str, text: str) -> None:
        path = self.folder / name
        path.write_text(text.replace("{folder}", str(self.folder)))
        path.chmod(0o755)

    def has(self, gpus: list[str], smi: int = 0) -> None:
        (self.folder / "gpus").write_text("".join(f"{gpu}\n" for gpu in gpus))
        (self.folder / "smi").write_text(str(smi))

    def answers(self, code: int) -> None:
        (self.folder / "answers").write_text(str(code))

    def studios(self, *lines: str, leaving: str = "") -> None:
        """As `docker inspect` has them; `leaving`: one that is to be started no more."""
        found = [f"unless-stopped /{line}\n" for line in lines] + [f"no /{leaving}\n"] * bool(leaving)
        (self.folder / "studios").write_text("".join(found))

    def look(self, times: int = 4, reserve: int = 0) -> list[str]:
        """Look so many times, every third at GPUs and disks; what was done."""
        (self.folder / "done").write_text("")
        env = {
            "PATH": f"{self.folder}:{os.environ['PATH']}",
            "ALARMS": str(self.alarms),
            "PROJECTS": str(self.folder / "projects"),
            "DRAINED": str(self.folder / "drained"),
            "RESERVE": str(reserve),
            "PORT": "8888",
            "ONCE": str(times),
        }
        ran = subprocess.run(
            ["sh", str(WATCH)], env=env, capture_output=True, text=True, timeout=30, check=False
        )
        assert ran.returncode == 0 and not ran.stderr, ran.stderr
        return (self.folder / "done").read_text().splitlines()

    def alarm(self, name: str) -> dict[str, object]:
        return json.loads((self.alarms / name).read_text())


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_a_host_where_all_is_well_is_left_alone(host: Host) -> None:
    host.studios(f"one running healthy podcast/0 {A}", f"two running starting podcast/1 {B}")
    assert host.look() == []
    assert not host.alarms.exists()


def test_a_studio_that_docker_calls_unhealthy_is_restarted(host: Host) -> None:
    host.studios(f"one running unhealthy podcast/0 {A} 172.18.0.2", f"two running healthy podcast/1 {B}")
    assert host.look(1) == ["docker restart -t 1 one"]


def test_one_that_answers_after_all_is_not(host: Host) -> None:
    """Its host is slow, and a start more would make it slower."""
    host.studios(f"one running unhealthy podcast/0 {A} 172.18.0.2", f"two running healthy podcast/1 {B}")
    host.answers(0)
    assert host.look(1) == []


def test_two_studios_that_hand_a_slot_over_are_left_to_the_rollout(host: Host) -> None:
    host.studios(f"old running healthy podcast/0 {A}", f"new running unhealthy podcast/0 {A}")
    assert host.look(1) == []
    host.has(gpus=[B])
    assert [line for line in host.look() if line.startswith("docker")] == []


def test_one_that_only_passes_on_what_others_wait_for_is_nobody_to_hand_over_to(host: Host) -> None:
    host.studios(
        f"new running unhealthy podcast/0 {A} 172.18.0.2",
        leaving=f"old running unhealthy podcast/0 {A} 172.18.0.3",
    )
    assert host.look(1) == ["docker restart -t 1 new"]


def test_a_gpu_that_is_gone_in_two_looks_stops_its_studio_and_raises_an_alarm(host: Host) -> None:
    host.studios(f"one running healthy podcast/0 {A}", f"two running healthy podcast/1 {B}")
    host.has(gpus=[A])
    assert host.look(1) == []
    done = host.look(4)
    assert "docker stop two" in done
    assert not [line for line in done if line.startswith("docker") and "one" in line]
    assert any(line.startswith("logger") and "daemon.alert" in line for line in done)
    alarm = host.alarm(f"gpu-{B}")
    assert alarm["since"] and B in str(alarm["what"]) and "two" in str(alarm["what"])
    assert "nvidia-smi" in str(alarm["do"])


def test_a_lost_gpu_does_not_have_its_studio_stopped_again_and_again(host: Host) -> None:
    host.studios(f"two exited unhealthy podcast/1 {B}")
    host.has(gpus=[A])
    assert not [line for line in host.look(7) if line.startswith("docker")]
    assert host.alarm(f"gpu-{B}")


def test_a_gpu_that_is_back_has_its_studio_started_and_the_alarm_taken_away(host: Host) -> None:
    host.studios(f"two exited none podcast/1 {B}")
    host.has(gpus=[A])
    host.look()
    host.has(gpus=[A, B])
    assert "docker start two" in host.look()
    assert list(host.alarms.iterdir()) == []


def test_what_containers_may_ask_for_is_written_anew_where_the_start_fails(host: Host) -> None:
    host.studios(f"two exited none podcast/1 {B}")
    host.has(gpus=[])
    host.look()
    (host.folder / "docker").rename(host.folder / "real-docker")
    host.program("docker", START_FAILS_ONCE)
    host.has(gpus=[A, B])
    done = [line for line in host.look() if not line.startswith("logger")]
    assert done == ["systemctl restart nvidia-cdi-refresh.service", "docker start two"]


def test_a_studio_that_somebody_stopped_is_left_alone(host: Host) -> None:
    host.studios(f"two exited none podcast/1 {B}")
    assert host.look() == []


def test_a_driver_that_answers_for_no_gpu_stops_nobody(host: Host) -> None:
    host.studios(f"one running healthy podcast/0 {A}")
    host.has(gpus=[], smi=9)
    assert not [line for line in host.look() if line.startswith("docker")]
    assert "nvidia-smi fails" in str(host.alarm("driver")["what"])
    host.has(gpus=[A])
    host.look()
    assert list(host.alarms.iterdir()) == []


def test_where_one_lost_gpu_makes_nvidia_smi_fail_the_others_are_asked_alone(host: Host) -> None:
    host.studios(f"one running healthy podcast/0 {A}", f"two running healthy podcast/1 {B}")
    host.has(gpus=[A], smi=15)
    docker = [line for line in host.look() if line.startswith("docker")]
    assert docker == ["docker stop two"]


def test_a_full_disk_is_an_alarm_until_there_is_room(host: Host) -> None:
    host.look(1, reserve=2**62)
    assert "jobs of podcast wait" in str(host.alarm("disk-podcast")["what"])
    host.look(1, reserve=1)
    assert list(host.alarms.iterdir()) == []


def test_a_drained_host_is_left_alone(host: Host) -> None:
    (host.folder / "drained").write_text("{}")
    host.studios(f"one running unhealthy podcast/0 {A} 172.18.0.2")
    host.has(gpus=[])
    assert host.look() == []


def test_the_watch_knows_the_sites_reserve() -> None:
    script, unit = files(example_site(studio={"disk_reserve": "3GiB"}))
    assert f"Environment=RESERVE={3 * GIB} PORT=8888\n" in str(unit.content)
    assert (script.dest, script.mode) == (SCRIPT, "755")
    assert f"ALARMS:-{ALARMS}" in str(script.content)


def test_systemd_and_the_shell_accept_it(tmp_path: Path) -> None:
    script, unit = files(example_site())
    (tmp_path / "watch").write_text(str(script.content))
    (tmp_path / "watch").chmod(0o755)
    path = tmp_path / "vibevoice-watch.service"
    path.write_text(str(unit.content).replace(SCRIPT, str(tmp_path / "watch")))
    verify = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", path]
    assert complaints(verify) == ""
    assert complaints(["sh", "-n", WATCH]) == ""

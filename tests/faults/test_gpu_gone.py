"""A GPU falls off the bus while people are at work: an alarm, and its jobs go on at the other one."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import pytest
from testinfra.host import Host

from tests.box.containers import Studio, studios
from tests.box.fixtures import Hosts
from tests.faults.table import Fault
from tests.faults.under_load import UnderLoad

pytestmark = pytest.mark.fault

GONE = Fault("a GPU gone", back_within_s=60)
TABLE = "/etc/vibevoice-lab/gpus"
ALARMS = "/srv/vibevoice/alarms"
# Two looks of the node's watch, 15 s apart, and the studio's own stop.
NOTICED_WITHIN_S = 75
BACK_WITHIN_S = 60


@pytest.fixture
def victim(hosts: Hosts) -> Iterator[Studio]:
    """The second studio of podcast; its GPU is there again at the end."""
    node = hosts["gpu-1"]
    node.check_output(f"cp -p {TABLE} {TABLE}.all")
    _, victim = studios(node)
    yield victim
    if node.run(f"test -e {TABLE}.all").rc == 0:
        _plug_in(node, victim)


def _uuid(studio: Studio) -> str:
    return studio.gpus[0].partition("=")[2]


def _pull_out(node: Host, studio: Studio) -> None:
    """As a card that no longer answers: no device, not in nvidia-smi, nothing for containers."""
    number = node.check_output(f"sed -n 's/,{_uuid(studio)},.*//p' {TABLE}")
    node.check_output(f"sed -i '/{_uuid(studio)}/d' {TABLE} && rm /dev/nvidia{number}")
    node.check_output("nvidia-ctk cdi generate --output=/var/run/cdi/nvidia.yaml")


def _plug_in(node: Host, studio: Studio) -> None:
    node.check_output(f"mv {TABLE}.all {TABLE}")
    number = node.check_output(f"sed -n 's/,{_uuid(studio)},.*//p' {TABLE}")
    node.check_output(f"[ -c /dev/nvidia{number} ] || mknod -m 666 /dev/nvidia{number} c 1 3")
    node.check_output("nvidia-ctk cdi generate --output=/var/run/cdi/nvidia.yaml")


def _until(seen: Callable[[], bool], limit_s: float, what: str) -> None:
    end = time.monotonic() + limit_s
    while not seen():
        assert time.monotonic() < end, f"not within {limit_s:.0f} s: {what}"
        time.sleep(0.5)


def _running(node: Host, name: str) -> bool:
    return node.check_output("docker inspect -f '{{.State.Running}}' %s", name) == "true"


def test_a_lost_gpu_is_an_alarm_and_costs_no_job(site: UnderLoad, hosts: Hosts, victim: Studio) -> None:
    node, alarm = hosts["gpu-1"], f"{ALARMS}/gpu-{_uuid(victim)}"
    with site.during(GONE):
        _pull_out(node, victim)
        _until(lambda: not _running(node, victim.name), NOTICED_WITHIN_S, f"{victim.name} is stopped")
    told = json.loads(node.check_output(f"cat {alarm}"))
    assert _uuid(victim) in told["what"] and victim.name in told["what"] and told["do"]
    journal = node.check_output("journalctl -t vibevoice-watch -p alert --since -5min --no-pager -o cat")
    assert _uuid(victim) in journal
    # It is not started again and again.
    state = "docker inspect -f '{{.RestartCount}} {{.State.Running}} {{.State.ExitCode}}' %s"
    assert node.check_output(state, victim.name) == "0 false 0"

    _plug_in(node, victim)
    _until(lambda: _running(node, victim.name), BACK_WITHIN_S, f"{victim.name} runs again")
    _until(lambda: node.run(f"test -e {alarm}").rc != 0, BACK_WITHIN_S, "the alarm is taken away")

"""The lab's plan: parameters in, hosts and GPUs out."""

from __future__ import annotations

import pytest

from lab import network, process, topology


def test_nodes_of_any_number_get_addresses_in_order() -> None:
    nodes = topology.nodes("gpu-1:debian13:4, gpu-2:debian12:1:ops, gpu-3:debian13:0")
    assert [(node.name, node.address, node.release, len(node.gpus)) for node in nodes] == [
        ("gpu-1", "10.77.0.11", "trixie", 4),
        ("gpu-2", "10.77.0.12", "bookworm", 1),
        ("gpu-3", "10.77.0.13", "trixie", 0),
    ]


def test_a_node_with_an_operator_is_reached_through_the_gateway() -> None:
    root, ops = topology.nodes("gpu-1:debian13:1,gpu-2:debian12:1:ops")
    assert (root.user, root.jump) == ("root", None)
    assert (ops.user, ops.jump) == ("ops", "gateway")


def test_every_gpu_of_the_lab_is_one_of_a_kind_and_the_same_each_time() -> None:
    gpus = [gpu for host in topology.hosts() for gpu in host.gpus]
    assert len({gpu.uuid for gpu in gpus}) == len(gpus) == 3
    assert gpus == [gpu for host in topology.hosts() for gpu in host.gpus]
    assert gpus[0].line.split(",")[4] == "00000000:3B:00.0"


def test_a_wrong_plan_is_refused_with_the_form_it_should_have() -> None:
    with pytest.raises(ValueError, match=r"LAB_NODES: gpu-1:debian11:1: name:debian12\|debian13:gpus"):
        topology.nodes("gpu-1:debian11:1")


def test_the_sites_name_leads_to_the_gateway() -> None:
    assert "host-record=studio.lab.test,10.77.0.10" in network.dns_configuration()


def test_a_program_that_does_not_listen_shows_the_end_of_its_log(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(process, "RUN", tmp_path)
    monkeypatch.setattr(process, "LOGS", tmp_path)
    with pytest.raises(process.ProcessError, match=r"ended with 3 .*\n.*no such port"):
        process.start("broken", ["sh", "-c", "echo no such port; exit 3"], listens=("127.0.0.1", 1))


def test_starting_twice_is_starting_once(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(process, "RUN", tmp_path)
    monkeypatch.setattr(process, "LOGS", tmp_path)
    assert process.start("sleeper", ["sleep", "60"])
    first = process.pid("sleeper")
    assert not process.start("sleeper", ["sleep", "60"])
    assert process.pid("sleeper") == first
    assert process.start("sleeper", ["sleep", "61"]), "another command takes its place"
    assert process.stop("sleeper")
    assert not process.alive("sleeper")

"""What becomes of a node's studios: which stay, go, come, and in what order. Pure, without a host."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace as changed
from pathlib import Path

import gevent
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet import Limits, Site
from fleet.locks import Lock, LockedFile
from roles.studios import commands
from roles.studios.labels import traefik_labels
from roles.studios.observe import Found, Observed, read
from roles.studios.plan import assigned, plan
from roles.studios.rolling import Stopped, turn
from roles.studios.spec import Studio, studio
from tests.unit.examples import example_site

KEY = "the door's public key"
IMAGE = "10.88.0.1:5000/vibevoice@sha256:" + "a" * 64


@pytest.fixture
def site(tmp_path: Path) -> Site:
    lock = tmp_path / "tiny.lock.json"
    file = LockedFile(path="config.json", size=1, sha256="0" * 64)
    Lock(repo="lab/tiny", revision="c" * 40, files=(file,)).write(lock)
    model = {"name": "tiny", "repo": "lab/tiny", "revision": "c" * 40, "memory": "1GiB", "lock": lock}
    return example_site(models=[model])


def found(project: str, slot: int, spec: str = "s1", status: str = "running", created: str = "1") -> Found:
    return Found(f"vv-{project}-{slot}-{spec}", status, created, project, slot, spec)


def wished(project: str, slot: int, spec: str = "s1") -> Studio:
    return Studio(project, slot, spec, f"vv-{project}-{slot}-{spec}", IMAGE, ("docker", "create"))


def node(*containers: Found, networks: tuple[str, ...] = ()) -> Observed:
    return Observed(containers=containers, networks=frozenset(networks))


def test_a_studio_whose_specification_is_unchanged_is_not_touched() -> None:
    wanted = {0: wished("p1", 0), 1: wished("p1", 1)}
    assert not plan(wanted, ["p1"], node(found("p1", 0), found("p1", 1), networks=("p1",)))


def test_a_changed_studio_is_replaced_and_the_image_pulled_first() -> None:
    wanted = {0: wished("p1", 0, "s2"), 1: wished("p1", 1)}
    todo = plan(wanted, ["p1"], node(found("p1", 0), found("p1", 1), networks=("p1",)))
    assert [(r.old.name, r.new.name) for r in todo.replace] == [("vv-p1-0-s1", "vv-p1-0-s2")]
    assert todo.pull == IMAGE
    assert not (todo.remove)
    assert not (todo.create)
    assert not (todo.start)


@pytest.mark.parametrize("status", ["exited", "created", "dead"])
def test_a_stopped_studio_is_started_again_and_not_made_anew(status: str) -> None:
    todo = plan({0: wished("p1", 0)}, ["p1"], node(found("p1", 0, status=status), networks=("p1",)))
    assert [one.name for one in todo.start] == ["vv-p1-0-s1"]
    assert not (todo.create)
    assert not (todo.replace)
    assert not (todo.pull)


def test_a_removed_project_loses_container_and_network() -> None:
    observed = node(found("p1", 0), found("old", 1), networks=("p1", "old"))
    todo = plan({0: wished("p1", 0)}, ["p1"], observed)
    assert [one.name for one in todo.remove] == ["vv-old-1-s1"]
    assert todo.forget == ("old",)
    assert not (todo.create)
    assert not (todo.replace)
    assert not (todo.connect)


def test_a_new_project_gets_its_network_and_disturbs_nobody() -> None:
    wanted = {0: wished("p1", 0), 1: wished("new", 1)}
    todo = plan(wanted, ["p1", "new"], node(found("p1", 0), networks=("p1",)))
    assert todo.connect == ("new",)
    assert [one.name for one in todo.create] == ["vv-new-1-s1"]
    assert not (todo.remove)
    assert not (todo.replace)


def test_of_two_containers_on_one_slot_the_running_one_stays() -> None:
    observed = node(
        found("p1", 0, "s0", status="exited", created="2"), found("p1", 0, "s1"), networks=("p1",)
    )
    todo = plan({0: wished("p1", 0)}, ["p1"], observed)
    assert [one.name for one in todo.remove] == ["vv-p1-0-s0"]
    assert not (todo.create)
    assert not (todo.replace)


def test_a_studio_whose_successor_stands_beside_it_is_still_to_be_replaced() -> None:
    """A deploy was cut off between the two: which of them has the GPU is nobody's guess."""
    observed = node(found("p1", 0, "s1"), found("p1", 0, "s2", created="2"), networks=("p1",))
    todo = plan({0: wished("p1", 0, "s2")}, ["p1"], observed)
    assert [(r.old.name, r.new.name) for r in todo.replace] == [("vv-p1-0-s1", "vv-p1-0-s2")]
    assert not todo.remove


def test_of_two_outdated_ones_the_one_that_is_alive_is_replaced_and_the_other_goes() -> None:
    alive = changed(found("p1", 0, "s1"), healthy=True)
    observed = node(alive, found("p1", 0, "s2", created="2"), networks=("p1",))
    todo = plan({0: wished("p1", 0, "s3")}, ["p1"], observed)
    assert [(r.old.name, r.new.name) for r in todo.replace] == [("vv-p1-0-s1", "vv-p1-0-s3")]
    assert [one.name for one in todo.remove] == ["vv-p1-0-s2"]


def test_a_gpu_is_free_before_another_project_takes_it() -> None:
    todo = plan({0: wished("new", 0)}, ["new"], node(found("old", 0), networks=("old",)))
    assert [one.name for one in todo.remove] == ["vv-old-0-s1"]
    assert [one.name for one in todo.create] == ["vv-new-0-s1"]


def test_a_stopped_studio_keeps_its_slot(site: Site) -> None:
    observed = node(found("p1", 2, status="exited"), found("p1", 3))
    assert assigned(4, site.projects_on("gpu-1.example.com"), observed)["p1"] == (2, 3)


@given(
    st.lists(
        st.tuples(st.sampled_from(["p1", "old"]), st.integers(0, 3), st.sampled_from(["s1", "s2"])),
        unique_by=lambda t: (t[0], t[1], t[2]),
    )
)
def test_a_plan_ends_with_exactly_one_container_on_each_used_slot(state: list[tuple[str, int, str]]) -> None:
    observed = node(*(found(*container) for container in state), networks=("old",))
    wanted = {0: wished("p1", 0), 1: wished("p1", 1)}
    todo = plan(wanted, ["p1"], observed)
    gone = {one.name for one in todo.remove} | {r.old.name for r in todo.replace}
    left = {container.name for container in observed.containers} - gone
    came = {one.name for one in todo.create} | {r.new.name for r in todo.replace}
    assert left | came == {"vv-p1-0-s1", "vv-p1-1-s1"}
    assert left & came <= {r.new.name for r in todo.replace}, "made anew, though it is there"


def test_the_container_gets_one_gpu_and_no_rights(site: Site) -> None:
    arguments = studio(site, site.projects[0], 1, "GPU-1", IMAGE, KEY).arguments
    text = " ".join(arguments)
    assert text.count("--device") == 1
    assert "--device nvidia.com/gpu=GPU-1 " in text
    for option in ("--read-only", "--cap-drop ALL", "--security-opt no-new-privileges", "--user 10001:10001"):
        assert option in text
    assert "dst=/weights,readonly" in text
    assert "--network vv-p1 " in text
    assert "--publish" not in text
    assert arguments[-1] == IMAGE


def with_knobs(site: Site, **knobs: object) -> Studio:
    """The first studio of a site whose studio knobs are turned."""
    turned = site.model_copy(update={"studio": site.studio.model_copy(update=knobs)})
    return studio(turned, turned.projects[0], 0, "GPU-0", IMAGE, KEY)


def test_the_engines_knobs_reach_the_studio(site: Site) -> None:
    text = " ".join(with_knobs(site, streams=3, steps=5, solver="sde-dpmsolver++").arguments)
    for variable in ("VV_STREAMS=3", "VV_STEPS=5", "VV_SOLVER=sde-dpmsolver++"):
        assert f"--env {variable} " in text
    usual = " ".join(with_knobs(site).arguments)
    assert "--env VV_STREAMS=8 " in usual
    # The model's own, which the studio reads from its checkpoint.
    assert "VV_STEPS" not in usual
    assert "VV_SOLVER" not in usual


def test_a_projects_limits_on_jobs_reach_its_studios(site: Site) -> None:
    limits = Limits.model_validate({"jobs_waiting": 7, "minutes_per_job": 20, "disk": "3GiB"})
    project = site.projects[0].model_copy(update={"limits": limits, "shared": True})
    text = " ".join(studio(site, project, 0, "GPU-0", IMAGE, KEY).arguments)
    disk = f"VV_DISK={3 * 2**30}"
    for variable in ("VV_JOBS_WAITING=7", "VV_JOB_MINUTES=20", disk, "VV_SHARED=true"):
        assert f"--env {variable} " in text


def test_what_the_site_says_of_jobs_reaches_every_studio(site: Site) -> None:
    disclaimer = "This is an AI-generated voice."
    arguments = with_knobs(
        site, idle_minutes=5, job_days=7, disk_reserve=2**31, disclaimer=disclaimer
    ).arguments
    assert {
        "VV_IDLE_S=300", "VV_JOB_DAYS=7", f"VV_DISK_RESERVE={2**31}", f"VV_DISCLAIMER={disclaimer}"
    } <= set(arguments)  # fmt: skip
    assert not any("DISCLAIMER" in argument for argument in with_knobs(site).arguments)


def test_docker_waits_for_a_studio_to_hand_its_jobs_over(site: Site) -> None:
    text = " ".join(with_knobs(site).arguments)
    assert "--env VV_STOP_GRACE_S=12 " in text
    assert "--stop-timeout 27 " in text


def test_a_studio_that_was_replaced_has_the_time_to_pass_on_what_others_speak(site: Site) -> None:
    new = with_knobs(site, exchange_grace_s=40)
    assert "--env VV_EXCHANGE_GRACE_S=40 " in " ".join(new.arguments)
    assert "docker stop -t 55 " in commands.hand_over("old", new, [], 40)


CHANGES: dict[str, Callable[[Site], Studio]] = {
    "image": lambda site: studio(site, site.projects[0], 0, "GPU-0", IMAGE.replace("a", "b"), KEY),
    "gpu": lambda site: studio(site, site.projects[0], 0, "GPU-1", IMAGE, KEY),
    "device": lambda site: with_knobs(site, device="cpu"),
    "steps": lambda site: with_knobs(site, steps=5),
    "door's key": lambda site: studio(site, site.projects[0], 0, "GPU-0", IMAGE, "another"),
    "slot": lambda site: studio(site, site.projects[0], 1, "GPU-0", IMAGE, KEY),
}


@pytest.mark.parametrize("what", CHANGES)
def test_whatever_defines_a_studio_is_in_its_specification(site: Site, what: str) -> None:
    before = studio(site, site.projects[0], 0, "GPU-0", IMAGE, KEY)
    assert CHANGES[what](site).spec != before.spec


def test_users_the_doors_limits_and_other_projects_do_not_change_a_studio(site: Site) -> None:
    project = site.projects[0]
    before = studio(site, project, 0, "GPU-0", IMAGE, KEY)
    more = project.model_copy(update={"users": ("ana", "li", "eve"), "gpus": 1, "limits": Limits(streams=1)})
    assert studio(site, more, 0, "GPU-0", IMAGE, KEY) == before


def test_all_studios_of_a_project_define_its_router_alike() -> None:
    first, second = traefik_labels("p1", 0), traefik_labels("p1", 1)
    assert {key: first[key] for key in first if "metrics" not in key} == {
        key: second[key] for key in second if "metrics" not in key
    }


def test_what_a_node_said_is_read() -> None:
    labels = {"vibevoice.project": "p1", "vibevoice.slot": "1", "vibevoice.spec": "s1"}
    row = {"name": "/vv-p1-1-s1", "status": "running", "created": "2026-11-23T10:00:00Z"}
    row |= {"health": "healthy", "labels": labels}
    lines = [
        "gpu 00000000:41:00.0, GPU-b",
        "gpu 00000000:01:00.0, GPU-a",
        f"container {json.dumps(row)}",
        "network vv-p1",
        "image sha256:abc",
        "something else",
    ]
    observed = read(lines)
    assert observed.uuids == ("GPU-a", "GPU-b")
    assert observed.containers == (changed(found("p1", 1), created="2026-11-23T10:00:00Z", healthy=True),)
    assert observed.networks == {"p1"}
    assert observed.digest == "sha256:abc"


@pytest.mark.parametrize(("line", "text"), [("drained {}", "{}"), ("drained", "yes"), ("drained yes", "yes")])
def test_a_drained_node_is_one_whatever_its_mark_says(line: str, text: str) -> None:
    assert read([line]).drained == text


def test_a_node_without_docker_and_driver_is_empty() -> None:
    assert read([]) == Observed()


def test_a_network_has_no_way_out_and_none_between_its_studios() -> None:
    command = commands.create_network("prod", "p1")
    assert "--internal" in command
    assert "enable_icc=false" in command


def test_after_a_studio_that_did_not_come_back_no_other_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roles.studios.rolling._failed_on", [])
    with turn("gpu-1", 2):
        pass
    with pytest.raises(GeneratorExit), turn("gpu-1", 2):
        raise GeneratorExit
    with pytest.raises(Stopped, match="gpu-1"), turn("gpu-2", 2):
        raise AssertionError("its turn never comes")


def test_no_more_nodes_than_allowed_have_their_turn_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roles.studios.rolling._failed_on", [])
    running, most = 0, 0

    def roll(host: str) -> None:
        nonlocal running, most
        with turn(host, 3):
            running += 1
            most = max(most, running)
            gevent.sleep(0.01)
            running -= 1

    gevent.joinall([gevent.spawn(roll, f"gpu-{n}") for n in range(9)], raise_error=True)
    assert most == 3

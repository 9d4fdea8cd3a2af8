"""A project moves to another node in the middle of a job, and back: nothing is lost, nobody else notices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.box.containers import ids, studios
from tests.box.deploy import Deploy, Run, deploy
from tests.box.fixtures import Hosts, Logins
from tests.box.jobs import Jobs, as_undisturbed, complete, talk
from tests.box.lab import INVENTORY, Lab
from tests.box.web import answers, session

pytestmark = pytest.mark.thorough

PROJECT, OLD, NEW = "debate", "gpu-2", "gpu-1"
ROOT = "/srv/vibevoice/projects"
SCRIPT = talk(60)
SEED = 5

# The project's node, and one GPU for each where there were two for podcast.
SHARED = '''"""The lab's site, its projects side by side on the first node."""

from fleet import site
from lab.site import lab_site

_site = lab_site()
for _project in _site["projects"]:
    _project |= {{"node": "{node}", "gpus": 1}}
gateway, gpu = site(__file__, _site)
'''


def ops(*arguments: str, inventory: Path, log: str) -> Run:
    return Deploy("-y", *arguments, inventory=inventory, operations="ops/move.py", log=log).wait()


@dataclass
class Story:
    """The move: the inventory that wants it, a job under way and one that was done before."""

    inventory: Path
    job: str
    spoken_s: float
    before: str
    sound: bytes
    undisturbed: bytes
    runs: dict[str, Run] = field(default_factory=dict)


@pytest.fixture(scope="module")
def story(
    lab: Lab, logins: Logins, hosts: Hosts, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Story]:
    inventory = tmp_path_factory.mktemp("move") / "lab.py"
    inventory.write_text(SHARED.format(node=NEW))
    deploy("-y", log="move-before")
    with Jobs(lab, logins[PROJECT]) as jobs:
        before = jobs.submit(SCRIPT, seed=SEED)
        jobs.done(before)
        sound = complete(jobs, before)
        job = jobs.submit(SCRIPT, seed=SEED)
        spoken = jobs.speaking(job, 1.0)["progress"]["audio_s"]
        story = Story(inventory, job, spoken, before, sound, sound)
        story.runs["deploy"] = Deploy("-y", inventory=inventory, log="move-refused").wait()
        story.runs["there"] = ops("--data", f"project={PROJECT}", inventory=inventory, log="move-there")
        yield story
        _back(hosts)
        answers(jobs.web, f"{jobs.login.url}health/ready", jobs.login.auth, 60)
        for id in (story.job, story.before):
            jobs.delete(id)


def _back(hosts: Hosts) -> None:
    """The lab's own site, wherever the test has ended."""
    ops("--data", f"project={PROJECT}", inventory=INVENTORY, log="move-cleanup")
    deploy("-y", log="move-after")
    for node in (OLD, NEW):
        hosts[node].check_output(f"rm -rf {ROOT}/{PROJECT}.moved-*")


def _of(hosts: Hosts, node: str) -> list[str]:
    return [studio.name for studio in studios(hosts[node]) if studio.project == PROJECT]


def test_a_deploy_alone_would_leave_the_jobs_behind_and_is_refused(story: Story) -> None:
    run = story.runs["deploy"]
    assert run.code == 1
    assert f"ops/move.py --data project={PROJECT}" in " ".join(run.text.split())
    assert "Take the site's lock" not in run.text


def test_the_project_answers_from_its_new_node(story: Story, lab: Lab, logins: Logins, hosts: Hosts) -> None:
    assert story.runs["there"].code == 0, story.runs["there"].tail
    assert len(_of(hosts, NEW)) == 1
    assert _of(hosts, OLD) == []
    with session(lab.domain, lab.gateway_ip, lab.ca_root) as web:
        answers(web, f"{logins[PROJECT].url}health/ready", logins[PROJECT].auth, 5)


def test_its_job_goes_on_behind_the_last_frame(story: Story, lab: Lab, logins: Logins) -> None:
    with Jobs(lab, logins[PROJECT]) as jobs:
        jobs.done(story.job)
        as_undisturbed(complete(jobs, story.job), story.undisturbed, story.spoken_s)


def test_what_was_done_is_still_there(story: Story, lab: Lab, logins: Logins) -> None:
    with Jobs(lab, logins[PROJECT]) as jobs:
        assert complete(jobs, story.before) == story.sound
        assert {story.job, story.before} <= {job["id"] for job in jobs.history()}


def test_the_old_node_keeps_the_data_aside_and_says_how_to_delete_it(story: Story, hosts: Hosts) -> None:
    (kept,) = hosts[OLD].check_output(f"ls -d {ROOT}/{PROJECT}*").split()
    assert kept.startswith(f"{ROOT}/{PROJECT}.moved-")
    assert f"rm -rf {kept}" in story.runs["there"].text
    assert f"vv-{PROJECT}" not in hosts[OLD].check_output("docker network ls --format '{{.Name}}'").split()


def test_moved_again_nothing_moves(story: Story, hosts: Hosts) -> None:
    before = {node: ids(hosts[node]) for node in (OLD, NEW)}
    run = ops("--data", f"project={PROJECT}", inventory=story.inventory, log="move-nothing")
    assert run.code == 0, run.tail
    assert "nothing to move" in run.text
    assert {node: ids(hosts[node]) for node in (OLD, NEW)} == before


def test_a_node_that_the_inventory_does_not_name_is_refused(story: Story) -> None:
    run = ops(
        "--data", f"project={PROJECT}", "--data", f"to={OLD}", inventory=story.inventory, log="move-wrong"
    )
    assert run.code == 1
    assert f"Change its node to {OLD}" in run.text


def test_a_move_that_fails_halfway_has_the_old_node_serve_again(
    story: Story, lab: Lab, logins: Logins, hosts: Hosts
) -> None:
    """Back to where it came from, where no studio can be started now."""
    with Jobs(lab, logins[PROJECT]) as jobs:
        job = jobs.submit(SCRIPT, seed=SEED)
        spoken = jobs.speaking(job, 1.0)["progress"]["audio_s"]
        # Docker there refuses every new container: a folder that it mounts is away.
        hosts[OLD].check_output("mv /srv/vibevoice/gpus /srv/vibevoice/gpus.away")
        try:
            run = ops("--data", f"project={PROJECT}", inventory=INVENTORY, log="move-fails")
        finally:
            hosts[OLD].check_output(
                "rmdir /srv/vibevoice/gpus 2>/dev/null; mv -T /srv/vibevoice/gpus.away /srv/vibevoice/gpus"
            )
        assert run.code == 1
        assert f"{NEW} serves it again, with all its jobs" in run.text
        answers(jobs.web, f"{jobs.login.url}health/ready", jobs.login.auth, 60)
        jobs.done(job)
        as_undisturbed(complete(jobs, job), story.undisturbed, spoken)
        jobs.delete(job)
    assert _of(hosts, OLD) == []
    assert len(_of(hosts, NEW)) == 1


def test_the_next_try_moves_it_back(story: Story, lab: Lab, logins: Logins, hosts: Hosts) -> None:
    run = ops("--data", f"project={PROJECT}", "--data", f"to={OLD}", inventory=INVENTORY, log="move-back")
    assert run.code == 0, run.tail
    assert len(_of(hosts, OLD)) == 1
    assert _of(hosts, NEW) == []
    with Jobs(lab, logins[PROJECT]) as jobs:
        assert complete(jobs, story.before) == story.sound

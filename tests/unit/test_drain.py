"""The mark of a drained node, and who may be drained."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from fleet.drained import Mark, mine, read
from roles.drain import chosen, stopped
from steps.files import TEMPLATES
from steps.options import Mistake
from tests.unit.examples import example_site
from tests.unit.real_programs import complaints

SITE = example_site()
NODE = SITE.nodes[0]


def test_a_mark_says_who_since_when_and_why() -> None:
    mark = Mark("ops@desk", 1000, "new PSU")
    assert read(mark.as_json()) == mark
    assert mark.words(1000 + 300) == "drained for 5 min by ops@desk (new PSU)"
    assert mark.words(1000 + 5 * 3600) == "drained for 5 h by ops@desk (new PSU)"
    assert mark.words(1000 + 3 * 86400) == "drained for 3 days by ops@desk (new PSU)"
    assert Mark("ops@desk", 1000, "").words(1000) == "drained for 0 min by ops@desk"


def test_a_mark_is_one_line_whatever_the_reason_is() -> None:
    assert "\n" not in mine("new PSU,\nbefore the\tweekend").as_json()
    assert mine("new PSU,\nbefore the\tweekend").why == "new PSU, before the weekend"


@pytest.mark.parametrize("text", ["?", "keep off!", '{"who": "x"}', "[]", "7", '{"who":"x","since":"soon"}'])
def test_a_mark_made_by_hand_counts_too(text: str) -> None:
    mark = read(text)
    assert mark is not None
    assert mark.who == "somebody"


def test_without_a_file_a_node_serves() -> None:
    assert read("") is None
    assert read("\n") is None


@pytest.mark.parametrize("name", ["", "gpu-7", SITE.gateway.host])
def test_a_wrong_name_is_refused_with_those_that_there_are(name: str) -> None:
    with pytest.raises(Mistake, match=NODE.host):
        chosen(SITE, name)
    assert chosen(SITE, NODE.host) is NODE


def test_what_a_drained_node_means_is_said_in_projects() -> None:
    projects = [project.name for project in SITE.projects_on(NODE.host)]
    assert stopped(SITE, NODE).startswith(", ".join(projects))
    assert stopped(SITE, NODE).endswith("the waiting page, jobs wait.")


# What the healing script is to tell apart, as `docker inspect` describes it: name, project, error.
CONTAINERS = {
    "vv-node-proxy": ("", "address not there"),
    "vv-podcast-0-ab": ("podcast", "no such GPU"),
    "vv-podcast-1-ab": ("podcast", ""),
}
DOCKER = """#!/bin/sh
case $1 in
ps) cd {state} && ls ;;
inspect) cd {state} && case $3 in *Labels*) cat vv-* ;; *) echo error ;; esac ;;
start) echo "$2" >> {started}; rm -f {state}/"$2" ;;
esac
"""


def _heal(folder: Path, drained: bool, at_boot: str) -> list[str]:
    """Names that the script starts, in order; the site's folder is a folder of the test's."""
    state, started, programs = folder / "state", folder / "started", folder / "bin"
    state.mkdir()
    programs.mkdir()
    started.touch()
    for name, (project, error) in CONTAINERS.items():
        (state / name).write_text(f"/{name} {project}\n" if error else "\n")
    (programs / "docker").write_text(DOCKER.format(state=state, started=started))
    (programs / "sleep").write_text("#!/bin/sh\n")
    for program in programs.iterdir():
        program.chmod(0o755)
    script = (TEMPLATES / "docker/docker-heal.sh").read_text().replace("/srv/vibevoice", str(folder))
    if drained:
        (folder / "drained").write_text("{}\n")
    if at_boot:
        (folder / "start-at-boot").write_text(at_boot)
    subprocess.run(
        ["sh", "-c", script], check=True, env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    )
    assert not (folder / "start-at-boot").exists()
    return started.read_text().split()


def test_at_boot_what_docker_could_not_start_is_started(tmp_path: Path) -> None:
    assert _heal(tmp_path, drained=False, at_boot="") == ["vv-node-proxy", "vv-podcast-0-ab"]


def test_at_boot_studios_that_saved_their_jobs_for_it_start_again(tmp_path: Path) -> None:
    started = _heal(tmp_path, drained=False, at_boot="vv-podcast-1-ab\n")
    assert started == ["vv-podcast-1-ab", "vv-node-proxy", "vv-podcast-0-ab"]


def test_at_boot_no_studio_of_a_drained_node_is_started(tmp_path: Path) -> None:
    assert _heal(tmp_path, drained=True, at_boot="vv-podcast-1-ab\n") == ["vv-node-proxy"]


def test_the_healing_script_is_one_that_sh_accepts() -> None:
    assert complaints(["sh", "-n", TEMPLATES / "docker/docker-heal.sh"]) == ""

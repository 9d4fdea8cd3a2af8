"""Many logs as one, and what an operator may ask for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from roles.logs import nothing, script
from roles.logs.lines import Line, merge, parse
from roles.logs.wish import LINES, MOST_LINES, Wish, WrongWish, read
from tests.unit.examples import example_site
from tests.unit.real_programs import complaints

SITE = example_site()
# As the lab's hosts printed them.
SAID = {
    "speaking": "vv-debate-0-ce7c4b3f 2026-11-28T15:13:04.370512345Z "
    '{"time": "2026-11-28T15:13:04.370Z", "level": "info", "logger": "vibevoice.studio", '
    '"message": "Speaking", "job": "job_LmKIGiJPU05jAhvktAAQ4APS", "user": "bo", "seconds": 0.011}',
    "door": "vv-door-a 2026-11-28T15:09:15.626000000Z "
    "2026-11-28 15:09:15,625 INFO uvicorn.error: Application startup complete.",
    "request": "vv-traefik 2026-11-28T15:43:22.383000000Z "
    '{"ClientHost":"10.77.0.1","DownstreamStatus":303,"Duration":3461237,"RequestMethod":"POST",'
    '"RequestPath":"/vibevoice/login","ServiceURL":"http://127.0.0.1:8901","level":"info","msg":"",'
    '"time":"2026-11-28T15:43:22Z"}',
}


def line(said: str) -> Line:
    (found,) = parse("gpu-2", [SAID[said]])
    return found


def wish(**options: Any) -> Wish:
    return read(SITE, options)


def test_a_studios_line_is_told_with_place_level_and_fields() -> None:
    assert line("speaking").words == (
        "2026-11-28 15:13:04.370  gpu-2  debate-0-ce7c4b3f  info     "
        "Speaking job=job_LmKIGiJPU05jAhvktAAQ4APS user=bo seconds=0.011"
    )


def test_a_line_that_is_no_json_is_told_as_it_is() -> None:
    assert line("door").words.endswith(
        "2026-11-28 15:09:15,625 INFO uvicorn.error: Application startup complete."
    )


def test_a_request_is_told_in_a_line() -> None:
    assert line("request").words.endswith(
        "POST /vibevoice/login 303 3 ms from 10.77.0.1 to http://127.0.0.1:8901"
    )


def test_an_exception_stands_below_its_line() -> None:
    text = json.dumps({"level": "error", "message": "Failed", "exception": "Traceback\n  boom"})
    (found,) = parse("h", [f"vv-a-0-x 2026-11-28T15:13:04.370512345Z {text}"])
    assert found.words.splitlines()[1:] == ["    Traceback", "      boom"]
    assert found.row["exception"] == "Traceback\n  boom"


def test_programs_get_every_field_and_where_the_line_is_from() -> None:
    row = line("speaking").row
    assert (row["host"], row["container"], row["user"]) == ("gpu-2", "vv-debate-0-ce7c4b3f", "bo")
    (odd,) = parse("gpu-2", ['vv-a-0-x 2026-11-28T15:13:04.3Z {"message": "m", "host": "elsewhere"}'])
    assert odd.row["host"] == "gpu-2"


def test_lines_of_all_hosts_are_in_the_order_in_which_they_were_written() -> None:
    logs = [parse(host, [SAID[name]]) for host, name in [("b", "request"), ("c", "speaking"), ("a", "door")]]
    shown, more = merge(logs, 10)
    assert [one.host for one in shown] == ["a", "c", "b"] and not more
    shown, more = merge(logs, 2)
    assert [one.host for one in shown] == ["c", "b"] and more


def test_a_line_without_words_is_no_line() -> None:
    assert parse("h", ["", "vv-a", "vv-a 2026-11-28T15:13:04Z"]) == []


def test_a_wish_has_defaults() -> None:
    asked = wish(project="p1")
    assert asked == Wish(
        "p1", (), "", None, LINES, ("gw.example.com", "gpu-1.example.com", "gpu-2.example.com")
    )
    assert wish(job="job_ab-c_1").studios and not wish(service="door").studios


@pytest.mark.parametrize(("since", "seconds"), [("90s", 90), ("30m", 1800), ("2h", 7200), ("1d", 86400)])
def test_a_time_is_a_number_and_a_unit(since: str, seconds: int) -> None:
    assert wish(project="p1", since=since).since_s == seconds


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "project=… (p1, p10)"),
        ({"project": "p2"}, "There are: p1, p10."),
        ({"service": "nginx"}, "There are: traefik, door, registry, node-proxy, docker-proxy."),
        (
            {"project": "p1", "host": "gpu-9"},
            "There are: gw.example.com, gpu-1.example.com, gpu-2.example.com.",
        ),
        ({"job": "x; rm -rf /"}, "begin with job_"),
        ({"job": "job_$(reboot)"}, "begin with job_"),
        ({"project": "p1", "since": "yesterday"}, "30m"),
        ({"project": "p1", "since": 30}, "30m"),
        ({"project": "p1", "lines": 0}, "from 1 to"),
        ({"project": "p1", "lines": MOST_LINES + 1}, "from 1 to"),
    ],
)
def test_a_wrong_wish_is_refused_with_what_there_is(options: Mapping[str, Any], words: str) -> None:
    with pytest.raises(WrongWish) as refused:
        read(SITE, options)
    assert words in str(refused.value)


def written(tmp_path: Path, **options: Any) -> str:
    """The shell for a wish; any shell accepts it."""
    text = script(SITE, wish(**options))
    (tmp_path / "script").write_text(text)
    assert complaints(["sh", "-n", tmp_path / "script"]) == ""
    return text


def test_a_projects_studios_are_found_by_label_also_those_that_have_ended(tmp_path: Path) -> None:
    text = written(tmp_path, project="p1", since="30m", lines=7)
    assert "docker ps --all" in text
    assert "--filter label=vibevoice.site=example --filter label=vibevoice.project=p1" in text
    assert "--since 1800s --tail 7" in text


def test_a_job_is_looked_for_among_all_lines(tmp_path: Path) -> None:
    text = written(tmp_path, job="job_1", lines=7)
    assert "grep -F -e job_1" in text and "--tail" not in text
    assert "tail -n 7" in text


def test_services_are_found_by_their_own_names(tmp_path: Path) -> None:
    text = written(tmp_path, service="door")
    assert "--filter 'name=^vv-door-a$' --filter 'name=^vv-door-b$'" in text and "label=" not in text


def test_a_project_asked_for_where_it_does_not_live_is_pointed_at() -> None:
    home = SITE.projects[0]
    other = next(one.host for one in SITE.members if one.host != home.node)
    assert nothing(SITE, wish(project=home.name, host=other)) == (
        f"There is no such line. {home.name} is on {home.node}."
    )
    assert nothing(SITE, wish(project=home.name)) == "There is no such line."
    assert nothing(SITE, wish(service="traefik")) == "There is no such line."

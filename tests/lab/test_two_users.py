"""Two people of one project: what is one's own, and what they share where the project is shared."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.box.fixtures import JobsOf
from tests.box.jobs import Jobs, talk
from tests.box.lab import Lab
from tests.box.sound import voice

SCRIPT = talk(2, "What nobody else may hear, number")
LONG = talk(200, "What nobody else may stop, number")


@pytest.fixture(scope="module")
def li(lab: Lab) -> Iterator[Jobs]:
    with Jobs(lab, lab.login("podcast", "li")) as jobs:
        yield jobs


@pytest.fixture(scope="module")
def lis(li: Jobs) -> Iterator[str]:
    """A job of li's in podcast, which is nobody's but li's; it is under way all the time."""
    id = li.submit(LONG, title="Li's own")
    li.speaking(id)
    yield id
    li.delete(id)


@pytest.fixture
def ana(jobs_of: JobsOf) -> Jobs:
    return jobs_of("podcast", "ana")


FOREIGN = {
    "see": ("GET", ""),
    "read": ("GET", "/script"),
    "see the segments of": ("GET", "/segments"),
    "follow": ("GET", "/events"),
    "hear": ("GET", "/audio?live=1&format=wav"),
    "download": ("GET", "/audio?format=mp3"),
    "read along": ("GET", "/subtitles"),
    "rename": ("PATCH", ""),
    "cancel": ("POST", "/cancel"),
    "retry": ("POST", "/retry"),
    "speak anew": ("POST", "/segments/0/regenerate"),
    "delete": ("DELETE", ""),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_another_users_job_is_not_there(what: str, lis: str, li: Jobs, ana: Jobs) -> None:
    method, path = FOREIGN[what]
    body = {"json": {"title": "Mine now"}} if method == "PATCH" else {}
    answer = ana.ask(method, f"v1/jobs/{lis}{path}", **body)
    assert answer.status_code == 404, f"ana may {what} it: {answer.status_code} {answer.text[:300]}"
    job = li.get(lis)
    assert (job["state"], job["title"], job["cancelling"]) == ("running", "Li's own", False)


def test_the_history_is_ones_own(lis: str, li: Jobs, ana: Jobs) -> None:
    assert lis in {job["id"] for job in li.history()}
    assert lis not in {job["id"] for job in ana.history(limit=100)}
    assert ana.history(search="Li's own") == []


def _add(jobs: Jobs, name: str, *, shared: bool) -> str:
    answer = jobs.ask(
        "POST",
        "v1/audio/voices",
        files={"audio_sample": ("voice.wav", voice(4), "audio/wav")},
        data={"name": name, "consent": "It is my own voice.", "shared": str(shared).lower()},
    )
    assert answer.status_code == 201, answer.text[:500]
    return answer.json()["id"]


@pytest.mark.parametrize("shared", [False, True])
def test_a_voice_is_ones_own_until_it_is_shared(shared: bool, li: Jobs, ana: Jobs) -> None:
    id = _add(li, "Li's voice", shared=shared)
    try:
        listed = {one["id"] for one in ana.ask("GET", "v1/audio/voices").json()["data"]}
        assert (id in listed) == shared
        heard = ana.ask("GET", f"v1/audio/voices/{id}/audio")
        assert heard.status_code == (200 if shared else 404)
        spoken = ana.ask("POST", "v1/jobs", json={"input": SCRIPT, "voices": [id]})
        assert spoken.status_code == 201 if shared else 400 <= spoken.status_code < 500
        if shared:
            ana.delete(spoken.json()["id"])
        assert ana.ask("DELETE", f"v1/audio/voices/{id}").status_code == 404
    finally:
        assert li.ask("DELETE", f"v1/audio/voices/{id}").status_code == 200


def test_a_shared_project_is_everybodys(jobs_of: JobsOf) -> None:
    bo, ana = jobs_of("debate", "bo"), jobs_of("debate", "ana")
    id = bo.submit(SCRIPT, title="Ours")
    assert id in {job["id"] for job in ana.history()}
    assert ana.done(id)["user"] == "bo"
    assert ana.samples(id) == bo.samples(id)
    ana.delete(id)
    assert bo.ask("GET", f"v1/jobs/{id}").status_code == 404

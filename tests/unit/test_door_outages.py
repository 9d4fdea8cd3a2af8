"""What becomes of requests when doors or studios end, asked of the real Traefik."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from tests.unit.gateway_box import ANA, HTML, Box, serving
from tests.unit.traefik_process import wait_until


@pytest.fixture
def stormy(tmp_path: Path) -> Iterator[Box]:
    """One of whose parts some may end."""
    with serving(tmp_path) as box:
        yield box


class Load:
    """Authorised requests of all three kinds, one after the other in each of some threads, until the end."""

    def __init__(self, box: Box) -> None:
        self.answers: list[str] = []
        self._box, self._end = box, threading.Event()
        kinds = [box.session, box.key, ANA, box.session]
        for headers in kinds:
            assert box.get("/vibevoice/p1/", headers=headers).status == 200
        self._threads = [threading.Thread(target=self._ask, args=(headers,)) for headers in kinds]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, headers: dict[str, str]) -> None:
        while not self._end.is_set():
            try:
                answer = self._box.get("/vibevoice/p1/x", headers=headers)
                good = answer.status == 200 and answer.json()["project"] == "one"
                self.answers.append("good" if good else f"{answer.status} {answer.data[:100]!r}")
            except urllib3.exceptions.HTTPError as error:
                self.answers.append(repr(error))
            # Four of them stay below what the project may have in a second.
            time.sleep(0.05)

    def wait_for(self, more: int) -> None:
        """Return when so many more requests were answered."""
        count = len(self.answers) + more
        wait_until(lambda: len(self.answers) >= count, 30, "no answers")


@pytest.mark.parametrize("number", [0, 1])
def test_a_door_that_is_killed_fails_no_request(stormy: Box, number: int) -> None:
    with Load(stormy) as load:
        load.wait_for(50)
        stormy.doors[number].stop(signal.SIGKILL)
        load.wait_for(200)
    assert Counter(load.answers).keys() == {"good"}, Counter(load.answers)


def test_an_upgrade_of_the_doors_fails_no_request(stormy: Box) -> None:
    """One after the other, as the role replaces them."""
    with Load(stormy) as load:
        for number in (1, 0):
            load.wait_for(50)
            stormy.doors[number].stop(signal.SIGTERM)
            assert stormy.doors[number].process.returncode == 0
            load.wait_for(50)
            stormy.restart_door(number)
        load.wait_for(100)
    assert Counter(load.answers).keys() == {"good"}, Counter(load.answers)


def test_restarted_doors_know_who_was_logged_in(stormy: Box) -> None:
    before = (stormy.session, stormy.key)
    for number in range(2):
        stormy.doors[number].stop(signal.SIGKILL)
    for number in range(2):
        stormy.restart_door(number)
    for headers in before:
        assert stormy.get("/vibevoice/p1/", headers=headers).status == 200


def test_without_doors_nothing_is_open(stormy: Box) -> None:
    kinds: list[dict[str, str]] = [stormy.session, stormy.key, ANA, stormy.session | HTML, HTML, {}]
    for one in stormy.doors:
        one.process.kill()
    for one in stormy.doors:
        one.process.wait()

    def statuses() -> set[int]:
        paths = (
            "/vibevoice/p1/",
            "/vibevoice/p10/x",
            "/vibevoice/",
            "/vibevoice/login",
            "/vibevoice/door/keys",
        )
        return {stormy.get(path, headers=headers).status for path in paths for headers in kinds}

    asked = len(stormy.studios[0].got) + len(stormy.studios[1].got)
    # Until both are known to be gone, a request finds that out itself.
    assert statuses() <= {502, 503}
    wait_until(lambda: statuses() == {503}, 10, "something else than 503")
    assert len(stormy.studios[0].got) + len(stormy.studios[1].got) == asked
    assert stormy.get("/vibevoice/health").status == 200


def test_a_browser_waits_on_a_page_and_a_program_is_told_while_a_studio_is_away(stormy: Box) -> None:
    stormy.ends[0].close()
    for headers in (stormy.session | HTML, ANA | HTML):
        page = stormy.get("/vibevoice/p1/", headers=headers)
        assert page.status in (502, 503)
        assert b'http-equiv="refresh"' in page.data
        assert page.headers["Content-Type"].startswith("text/html")

    def told() -> bool:
        answer = stormy.get("/vibevoice/p1/v1/models", headers=stormy.key)
        assert answer.status in (502, 503)
        return answer.status == 503 and answer.headers["Content-Type"] == "application/json"

    # The first requests find out, until the next question whether the node lives.
    wait_until(told, 20, "no word to programs")
    answer = stormy.get("/vibevoice/p1/v1/audio/speech", "POST", headers=stormy.key, body=b"{}")
    assert answer.status == 503
    assert answer.json()["error"]["code"] == "studio_unavailable"
    assert int(answer.headers["Retry-After"]) > 0
    assert b'http-equiv="refresh"' in stormy.get("/vibevoice/p1/", headers=stormy.session | HTML).data
    # Whoever may not come in learns nothing of it, and another project is not touched.
    assert stormy.get("/vibevoice/p1/v1/models").status == 401
    assert stormy.get("/vibevoice/p1/", headers=HTML).status == 303
    assert stormy.get("/vibevoice/p10/", headers=stormy.session).status == 200

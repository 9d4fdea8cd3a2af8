"""Programs enter with a key: OpenAI's own client, through the gateway."""

from __future__ import annotations

import time
from collections.abc import Iterator

import openai
import pytest
import requests

from tests.box.fixtures import Logins
from tests.box.lab import Lab
from tests.box.patience import PATIENCE
from tests.box.people import Visitor
from tests.box.programs import openai_client
from tests.box.sound import RATE, pcm_of_wav
from tests.box.web import TIMEOUT_S

STOPS_WITHIN_S = 1.0


@pytest.fixture(scope="module")
def li(lab: Lab) -> Iterator[Visitor]:
    with Visitor(lab) as visitor:
        assert visitor.log_in("li", lab.users["li"]).status_code == 303
        yield visitor


def test_openais_client_speaks_with_a_key_of_the_project(lab: Lab, li: Visitor) -> None:
    client = openai_client(lab, "podcast", li.make_key("podcast"))
    assert "vibevoice" in {model.id for model in client.models.list()}
    spoken = client.audio.speech.create(
        model="vibevoice", voice="default", input="Speaker 1: A key fits.", response_format="wav"
    )
    assert len(pcm_of_wav(spoken.content)) > RATE


def test_a_revoked_key_stops_within_a_second(lab: Lab, li: Visitor) -> None:
    key = li.make_key("podcast")
    client = openai_client(lab, "podcast", key)
    client.models.list()
    li.revoke_key(key)
    revoked = time.monotonic()
    with pytest.raises(openai.AuthenticationError) as refused:
        client.models.list()
    assert time.monotonic() - revoked < STOPS_WITHIN_S * PATIENCE
    assert refused.value.code == "invalid_api_key"


def test_a_key_opens_its_own_project_only(lab: Lab) -> None:
    with Visitor(lab) as ana:
        ana.log_in("ana", lab.users["ana"])
        key = ana.make_key("podcast")
    # Ana may open debate; this key may not.
    with pytest.raises(openai.APIStatusError) as refused:
        openai_client(lab, "debate", key).models.list()
    assert refused.value.status_code in (401, 403)


def test_a_key_of_another_project_cannot_be_made(lab: Lab, li: Visitor) -> None:
    answer = li.submit("/vibevoice/door/keys", project="debate", name="x", days="1")
    assert answer.status_code in (400, 403, 422)


def test_the_studio_knows_whose_key_it_is(lab: Lab, li: Visitor, web: requests.Session) -> None:
    key = li.make_key("podcast")
    url = f"https://{lab.domain}/vibevoice/podcast/v1/me"
    answer = web.get(url, headers={"Authorization": f"Bearer {key}"}, timeout=TIMEOUT_S)
    assert answer.json()["user"] == "li"
    assert answer.json()["project"] == "podcast"


def test_too_many_streams_are_told_so_in_openais_words(
    lab: Lab, logins: Logins, web: requests.Session
) -> None:
    login = logins["podcast"]
    limit = web.get(f"{login.url}v1/me", auth=login.auth, timeout=TIMEOUT_S).json()["limits"]["streams"]
    streams: list[requests.Response] = []
    try:
        for _ in range(limit):
            streams.append(web.get(f"{login.url}v1/events", auth=login.auth, stream=True, timeout=TIMEOUT_S))
        assert {stream.status_code for stream in streams} == {200}
        one_more = web.get(f"{login.url}v1/events", auth=login.auth, stream=True, timeout=TIMEOUT_S)
        assert one_more.status_code == 429
        assert int(one_more.headers["Retry-After"]) >= 1
        assert one_more.json()["error"]["type"] == "rate_limit_error"
    finally:
        for stream in streams:
            stream.close()

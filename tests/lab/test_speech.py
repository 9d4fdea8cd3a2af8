"""Speech over HTTPS: who gets it, who does not."""

from __future__ import annotations

import socket
import ssl

import pytest
import requests

from tests.box import web as outside
from tests.box.fixtures import Logins, Speak
from tests.box.lab import Lab
from tests.box.sound import RATE, pcm_of_wav
from tests.box.web import TIMEOUT_S

SCRIPT = "Speaker 1: Good morning, this is the box.\nSpeaker 2: And it talks."


@pytest.mark.parametrize("project", ["podcast", "debate"])
def test_a_script_comes_back_as_a_wav_of_24_khz(project: str, logins: Logins, speak: Speak) -> None:
    answer = speak(logins[project], SCRIPT)
    assert answer.status_code == 200, answer.text[:500]
    assert answer.headers["Content-Type"] in ("audio/wav", "audio/x-wav", "audio/wave")
    samples = pcm_of_wav(answer.content)
    assert 0.5 < len(samples) / 2 / RATE < 60
    assert any(samples), "nothing but silence"


def test_without_a_login_there_is_no_speech(logins: Logins, speak: Speak) -> None:
    answer = speak(logins["podcast"], SCRIPT, auth=None)
    assert answer.status_code == 401
    # A browser would open its own dialog over the page for Basic.
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.json()["error"]["type"] == "authentication_error"


def test_another_projects_login_does_not_open_this_one(logins: Logins, speak: Speak) -> None:
    answer = speak(logins["podcast"], SCRIPT, auth=logins["debate"].auth)
    assert answer.status_code == 403
    assert answer.json()["error"]["type"] == "permission_error"


def test_a_wrong_password_is_refused(logins: Logins, speak: Speak) -> None:
    login = logins["podcast"]
    assert speak(login, SCRIPT, auth=(login.user, login.password[:-1])).status_code == 401


def test_a_project_is_not_the_beginning_of_another(lab: Lab, logins: Logins, web: requests.Session) -> None:
    url = f"https://{lab.domain}/vibevoice/podcastx/"
    assert web.get(url, auth=logins["podcast"].auth, timeout=TIMEOUT_S).status_code == 404


def test_plain_http_is_redirected(lab: Lab, web: requests.Session) -> None:
    answer = web.get(f"http://{lab.domain}/vibevoice/podcast/", allow_redirects=False, timeout=TIMEOUT_S)
    assert answer.status_code in (301, 308)
    assert answer.headers["Location"] == f"https://{lab.domain}/vibevoice/podcast/"


def test_the_missing_slash_is_added_and_the_query_kept(logins: Logins, web: requests.Session) -> None:
    login = logins["podcast"]
    bare = login.url.rstrip("/")
    answer = web.get(f"{bare}?voice=a&n=1", auth=login.auth, allow_redirects=False, timeout=TIMEOUT_S)
    assert answer.is_redirect, answer.status_code
    assert answer.headers["Location"] == f"{login.url}?voice=a&n=1"
    assert web.get(bare, auth=login.auth, timeout=TIMEOUT_S).status_code == 200


def test_the_certificate_is_the_labs_and_is_checked(lab: Lab, logins: Logins) -> None:
    login = logins["podcast"]
    with (
        outside.session(lab.domain, lab.gateway_ip, None) as stranger,
        pytest.raises(requests.exceptions.SSLError),
    ):
        stranger.get(login.url, auth=login.auth, timeout=TIMEOUT_S)


def test_another_name_gets_no_certificate_at_all(lab: Lab) -> None:
    with (
        outside.session("elsewhere.lab.test", lab.gateway_ip, lab.ca_root) as lost,
        pytest.raises(requests.exceptions.SSLError),
    ):
        lost.get("https://elsewhere.lab.test/", timeout=TIMEOUT_S)


def test_old_tls_is_refused(lab: Lab) -> None:
    context = ssl.create_default_context(cafile=str(lab.ca_root))
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with socket.create_connection((lab.gateway_ip, 443), TIMEOUT_S) as plain, pytest.raises(ssl.SSLError):
        context.wrap_socket(plain, server_hostname=lab.domain)


GARBAGE = {
    "no JSON": "{",
    "no input": '{"model": "vibevoice", "voice": "default"}',
    "empty input": '{"model": "vibevoice", "voice": "default", "input": ""}',
    "a number": '{"model": "vibevoice", "voice": "default", "input": 7}',
    "unknown voice": '{"model": "vibevoice", "voice": "nobody", "input": "Speaker 1: Hello."}',
    "unknown format": '{"model": "vibevoice", "voice": "default", "input": "Hi.", "response_format": "ogre"}',
}


@pytest.mark.parametrize("body", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_is_answered_in_the_words_of_openais_api(
    body: str, logins: Logins, web: requests.Session
) -> None:
    login = logins["podcast"]
    answer = web.post(
        f"{login.url}v1/audio/speech",
        data=body,
        headers={"Content-Type": "application/json"},
        auth=login.auth,
        timeout=TIMEOUT_S,
    )
    assert 400 <= answer.status_code < 500, answer.text[:500]
    error = answer.json()["error"]
    assert error["message"]
    assert error["type"] == "invalid_request_error"
    assert {"param", "code"} <= error.keys()


def test_answers_carry_security_headers_and_no_server_name(logins: Logins, web: requests.Session) -> None:
    login = logins["podcast"]
    answer = web.get(login.url, auth=login.auth, timeout=TIMEOUT_S)
    assert "max-age=" in answer.headers["Strict-Transport-Security"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert not answer.headers.get("Server")

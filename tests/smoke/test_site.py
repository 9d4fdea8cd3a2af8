"""What every visitor relies on, in the order in which they would notice."""

import io
import socket
import ssl
import time
import wave

import requests

from fleet import outside
from fleet.models import Project, Site

TIMEOUT_S = 30
# The first sentence after a rollout may wait for the model to be loaded.
SPEECH_TIMEOUT_S = 300
SENTENCE = "Speaker 1: Is this thing on?"
# Of 16 bit samples at 24 kHz: a tenth of a second.
LEAST_BYTES = 4800


def test_plain_http_is_sent_to_https(site: Site, web: requests.Session) -> None:
    answer = web.get(f"http://{site.domain}/vibevoice/", allow_redirects=False, timeout=TIMEOUT_S)
    assert answer.status_code in (301, 308)
    assert answer.headers["Location"].startswith(f"https://{site.domain}")


def test_the_certificate_is_good_for_a_week(site: Site) -> None:
    root = str(site.acme.root) if site.acme.root else None
    context = ssl.create_default_context(cafile=root)
    address = (outside.public_address(site) or site.domain, 443)
    with (
        socket.create_connection(address, TIMEOUT_S) as plain,
        context.wrap_socket(plain, server_hostname=site.domain) as tls,
    ):
        certificate = tls.getpeercert()
        assert tls.version() in ("TLSv1.2", "TLSv1.3")
    assert certificate is not None
    days = (ssl.cert_time_to_seconds(str(certificate["notAfter"])) - time.time()) / 86400
    assert days > 7, (
        f"the certificate of {site.domain} ends in {days:.1f} days: see Traefik's log for ACME errors"
    )


def test_what_is_not_declared_is_not_found(site: Site, web: requests.Session) -> None:
    for path in ("/vibevoice/no-such-project/", "/api/rawdata", "/dashboard/", "/metrics"):
        assert web.get(f"https://{site.domain}{path}", timeout=TIMEOUT_S).status_code == 404, path


def test_a_studio_asks_for_a_login(site: Site, project: Project, web: requests.Session) -> None:
    browser = web.get(site.url(project.name), headers={"Accept": "text/html"}, timeout=TIMEOUT_S)
    assert browser.status_code == 200
    assert browser.url.startswith(f"https://{site.domain}/vibevoice/login?next=")
    answer = web.get(site.url(project.name), timeout=TIMEOUT_S)
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "authentication_error"
    assert answer.headers["Strict-Transport-Security"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_name_that_only_begins_like_a_project_is_not_it(
    site: Site, project: Project, web: requests.Session, login: tuple[str, str]
) -> None:
    url = f"https://{site.domain}/vibevoice/{project.name}-x0x/"
    assert web.get(url, auth=login, timeout=TIMEOUT_S).status_code == 404


def test_a_studio_opens(site: Site, project: Project, web: requests.Session, login: tuple[str, str]) -> None:
    page = web.get(site.url(project.name), auth=login, timeout=TIMEOUT_S)
    assert page.status_code == 200
    assert page.headers["Content-Type"].startswith("text/html")
    assert web.get(site.url(project.name) + "health/ready", auth=login, timeout=TIMEOUT_S).status_code == 200


def test_a_studio_speaks(site: Site, project: Project, web: requests.Session, login: tuple[str, str]) -> None:
    answer = web.post(
        site.url(project.name) + "v1/audio/speech",
        json={"model": "vibevoice", "voice": "default", "input": SENTENCE, "response_format": "pcm"},
        auth=login,
        timeout=SPEECH_TIMEOUT_S,
    )
    assert answer.status_code == 200, answer.text[:500]
    assert len(answer.content) > LEAST_BYTES, "less than a tenth of a second of speech"


def test_a_studio_takes_a_job_and_speaks_it(
    site: Site, project: Project, web: requests.Session, login: tuple[str, str]
) -> None:
    jobs = site.url(project.name) + "v1/jobs"
    order = {"input": SENTENCE, "title": "Smoke test", "response_format": "wav"}
    answer = web.post(jobs, json=order, auth=login, timeout=TIMEOUT_S)
    assert answer.status_code == 201, answer.text[:500]
    job = answer.json()
    address = f"{jobs}/{job['id']}"
    try:
        deadline = time.monotonic() + SPEECH_TIMEOUT_S
        while job["state"] in ("queued", "running"):
            assert time.monotonic() < deadline, f"not spoken within {SPEECH_TIMEOUT_S} s: {job}"
            time.sleep(0.5)
            job = web.get(address, auth=login, timeout=TIMEOUT_S).json()
        assert job["state"] == "done", job["error"]
        sound = web.get(f"{address}/audio", auth=login, timeout=TIMEOUT_S)
        assert sound.status_code == 200, sound.text[:500]
        with wave.open(io.BytesIO(sound.content)) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24000, 1, 2)
            assert 2 * file.getnframes() > LEAST_BYTES
    finally:
        gone = web.delete(address, auth=login, timeout=TIMEOUT_S)
    assert gone.status_code == 200, gone.text[:500]

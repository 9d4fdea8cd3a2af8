"""Programs that come with a key of the door: the official clients, told where the lab is."""

from __future__ import annotations

import os
import ssl
import subprocess

import httpx2
import openai

from tests.box.lab import REPO, Lab

# gradio_client is among what the studio's own tests need. Where the domain is, only the lab knows.
_GRADIO = """
import socket, sys
url, domain, address, key, script = sys.argv[1:]
look_up = socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest, **more: look_up(address if host == domain else host, *rest, **more)
from gradio_client import Client
client = Client(url, headers={"Authorization": f"Bearer {key}"}, verbose=False, analytics_enabled=False)
sound, status, job = client.predict(script, api_name="/generate")
print(sound, status, job, sep="\\n")
"""


def openai_client(lab: Lab, project: str, key: str) -> openai.OpenAI:
    """OpenAI's client at a project's address; it finds the domain where it is in the lab, and checks its
    certificate as ever."""

    class Transport(httpx2.HTTPTransport):
        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            request.extensions["sni_hostname"] = lab.domain
            request.url = request.url.copy_with(host=lab.gateway_ip)
            return super().handle_request(request)

    context = ssl.create_default_context(cafile=str(lab.ca_root))
    return openai.OpenAI(
        base_url=f"https://{lab.domain}/vibevoice/{project}/v1",
        api_key=key,
        http_client=httpx2.Client(transport=Transport(verify=context)),
        max_retries=0,
    )


def gradio_generate(lab: Lab, project: str, key: str, script: str, folder: str) -> tuple[str, str, str]:
    """What the page's endpoint gives to gradio_client: (path of the sound, status, job's id)."""
    url = f"https://{lab.domain}/vibevoice/{project}/"
    done = subprocess.run(
        [str(REPO / ".venv-app/bin/python"), "-c", _GRADIO, url, lab.domain, lab.gateway_ip, key, script],
        env={**os.environ, "SSL_CERT_FILE": str(lab.ca_root), "GRADIO_TEMP_DIR": folder, "TMPDIR": folder},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    sound, status, job = done.stdout.strip().splitlines()
    return sound, status, job

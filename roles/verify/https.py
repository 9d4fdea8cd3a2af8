"""The site as a browser finds it, asked from the operator's machine. Knows nothing of pyinfra."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
from dataclasses import dataclass

from fleet import Project, Site, names

PORT = 443
TIMEOUT_S = 10
# Long enough for a first certificate and for Traefik's health checks to find the studios.
PATIENCE_S = 90

# Waiting for the GPU of a studio that ends; asleep until there is a job.
SPEAKS = ("ready", "waiting", "restarting", "asleep")

WORDS = {
    401: "does not let its own door's key in. Does the studio have an old one? Deploy its node as well.",
    403: "is not open to the door's own key. Does the door know the project? Deploy the gateway again.",
    404: "is not routed. The gateway's Traefik does not know it: docker logs vv-traefik.",
    502: "is routed, but the gateway does not reach its node. Look at wg0 (wg show) on both.",
    503: "is routed, but no studio of it is ready. On its node: docker ps, docker logs vv-node-proxy. "
    "Or the door is gone. On the gateway: docker ps, docker logs vv-door-a.",
    504: "is routed, but its node does not answer in time. Look at wg0 (wg show) on both.",
}


@dataclass(frozen=True)
class Wrong:
    """What is wrong with an address: the words for the operator, and whether it is the certificate."""

    words: str
    certificate: bool = False


class _Connection(http.client.HTTPSConnection):
    """HTTPS to a given address, with the domain's name asked for and checked."""

    def __init__(self, site: Site) -> None:
        self.tls = ssl.create_default_context(cafile=str(site.acme.root) if site.acme.root else None)
        super().__init__(site.domain, PORT, timeout=TIMEOUT_S, context=self.tls)
        self.address = site.gateway.address or site.domain

    def connect(self) -> None:
        plain = socket.create_connection((self.address, PORT), TIMEOUT_S)
        try:
            self.sock = self.tls.wrap_socket(plain, server_hostname=self.host)
        except BaseException:
            plain.close()
            raise


def status(site: Site, project: Project, key: str) -> int | Wrong:
    """HTTP status of a project's ready path, or why there is none, or none of use.

    Args:
        key: made by the door for this question.
    """
    connection = _Connection(site)
    try:
        connection.request(
            "GET", f"{names.path(project.name)}/health/ready", headers={"Authorization": f"Bearer {key}"}
        )
        answer = connection.getresponse()
        # Jobs are taken while the model loads: ready alone proves no model.
        return _speaks(project, answer.read()) if answer.status == 200 else answer.status
    except socket.gaierror as error:
        return Wrong(f"{site.domain} has no address here ({error.strerror}). Add it to the DNS.")
    except ssl.SSLCertVerificationError as error:
        return Wrong(f"{site.domain} has no trusted certificate: {error.verify_message}.", certificate=True)
    except ssl.SSLError as error:
        # With sniStrict that is what a domain without a certificate looks like.
        return Wrong(f"{site.domain} has no certificate yet ({error.reason}).", certificate=True)
    except OSError as error:
        return Wrong(f"{connection.address} port {PORT} does not answer: {error}. Is Traefik running there?")
    finally:
        connection.close()


def _speaks(project: Project, said: bytes) -> int | Wrong:
    """200 if a ready studio's engine can speak or sleeps; else what it does."""
    try:
        engine = json.loads(said)["engine"]
    except (ValueError, TypeError, KeyError):
        return Wrong(f"{project.name} answers, but no studio does. Who else is behind its address?")
    if engine in SPEAKS:
        return 200
    return Wrong(f"{project.name} takes jobs, but its engine is {engine}. On its node: docker logs.")


def wait(site: Site, project: Project, key: str, deadline: float) -> Wrong | None:
    """Ask until the project answers 200 or `time.monotonic()` has passed the deadline; then what is wrong."""
    while True:
        result = status(site, project, key)
        if result == 200:
            return None
        if time.monotonic() > deadline:
            break
        time.sleep(0.5)
    if isinstance(result, Wrong):
        return result
    url = f"{site.url(project.name)}health/ready"
    return Wrong(f"{url} answers {result}: {project.name} {WORDS.get(result, 'is in trouble.')}")

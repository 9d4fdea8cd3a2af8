"""The site asked from outside, as visitors, programs and strangers find it. Knows nothing of pyinfra."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import requests

from fleet import Gateway, Member, Project, Site, names, outside
from fleet.models import STUDIOS_PORT
from roles.studios.spec import METRICS_PORT, PORT
from roles.verify import https, listening
from steps.traefik import STATUS

TIMEOUT_S = 10
# A port that is open answers within a round trip; one that is shut behind a firewall never does.
KNOCK_S = 1.5
AT_ONCE = 64
CERTIFICATE_DAYS = 7
HTML = {"Accept": "text/html,application/xhtml+xml"}
NOT_DECLARED = ("/vibevoice/no-such-project/", "/api/rawdata", "/dashboard/", "/metrics")
# What must never be seen from outside: Docker's API, and what is often left open beside it.
NEVER = (21, 23, 25, 111, 2049, 2375, 2376, 2377, 3000, 3306, 5432, 6379, 7946, 8000, 8443, 9000, 9090)


@dataclass(frozen=True)
class Check:
    """One question to the site: what was asked of whom, and what is wrong; empty if nothing is."""

    what: str
    where: str
    wrong: str = ""


def run(site: Site, keys: Mapping[str, str], drained: Collection[str] = ()) -> list[Check]:
    """All checks, at once; in the order in which a visitor would notice.

    Args:
        keys: made by the door for this question, by project.
        drained: nodes whose projects shall wait.
    """
    with ThreadPoolExecutor(AT_ONCE) as pool:
        asked = [
            (what, where, pool.submit(question)) for what, where, question in _questions(site, keys, drained)
        ]
        return [Check(what, where, answer.result()) for what, where, answer in asked]


Question = Callable[[], str]


def _questions(
    site: Site, keys: Mapping[str, str], drained: Collection[str]
) -> Iterator[tuple[str, str, Question]]:
    yield "certificate", site.domain, lambda: _certificate(site)
    yield "http is sent to https", site.domain, lambda: _polite(_redirect, site)
    yield "what is not declared is not found", site.domain, lambda: _polite(_not_declared, site)
    for project in site.projects:
        key = keys.get(project.name, "none")
        if project.node in drained:
            yield "waits", project.name, lambda p=project, k=key: _waits(site, p, k)
        else:
            yield "ready", project.name, lambda p=project, k=key: _ready(site, p, k)
        yield "a browser without login", project.name, lambda p=project: _polite(_browser, site, p)
        yield "a program without login", project.name, lambda p=project: _polite(_program, site, p)
        yield "waiting page", project.name, lambda p=project: _polite(_waiting, site, p)
    for member in site.members:
        # Whoever is behind a jump host has no address here.
        if not member.ssh.jump:
            yield "no other port", member.host, lambda m=member: open_ports(site, m)


def _certificate(site: Site) -> str:
    found = outside.certificate(site, TIMEOUT_S, https.PORT)
    if isinstance(found, str):
        return found
    if found.days < CERTIFICATE_DAYS:
        return f"it ends in {found.days:.1f} days; see docker logs {names.TRAEFIK} for acme"
    return ""


def _ready(site: Site, project: Project, key: str) -> str:
    wrong = https.wait(site, project, key, deadline=time.monotonic())
    return wrong.words if wrong else ""


def _waits(site: Site, project: Project, key: str) -> str:
    """Of a project whose node is drained."""
    found = https.status(site, project, key)
    if isinstance(found, https.Wrong):
        return found.words
    return "" if found == 503 else f"its node is drained, and it answers {found}"


def _polite(question: Callable[..., str], site: Site, *arguments: Project) -> str:
    """Ask with a session of its own; a site that does not answer is an answer, too."""
    with outside.session(site) as web:
        try:
            return question(site, web, *arguments)
        except requests.exceptions.SSLError:
            return "no trusted certificate"
        except requests.exceptions.Timeout:
            return f"no answer within {TIMEOUT_S} s"
        except requests.RequestException as error:
            return f"no answer: {type(error).__name__}"


def _redirect(site: Site, web: requests.Session) -> str:
    answer = web.get(f"http://{site.domain}/vibevoice/", allow_redirects=False, timeout=TIMEOUT_S)
    target = answer.headers.get("Location", "")
    if answer.status_code in (301, 308) and target.startswith(f"https://{site.domain}/"):
        return ""
    return f"http answers {answer.status_code} {target}".rstrip()


def _not_declared(site: Site, web: requests.Session) -> str:
    found = {path: _status(web, f"https://{site.domain}{path}") for path in NOT_DECLARED}
    return ", ".join(f"{path} answers {status}" for path, status in found.items() if status != 404)


def _browser(site: Site, web: requests.Session, project: Project) -> str:
    answer = web.get(site.url(project.name), headers=HTML, timeout=TIMEOUT_S)
    at_login = answer.url.startswith(f"https://{site.domain}/vibevoice/login?next=")
    if answer.status_code == 200 and at_login:
        return ""
    return f"gets {answer.status_code} at {answer.url}, not the login page"


def _program(site: Site, web: requests.Session, project: Project) -> str:
    answer = web.get(site.url(project.name), timeout=TIMEOUT_S)
    return "" if answer.status_code == 401 else f"gets {answer.status_code}, not 401"


def _waiting(site: Site, web: requests.Session, project: Project) -> str:
    """The page that stands in for a studio that is away: what Traefik fetches from the door."""
    url = f"https://{site.domain}/vibevoice/door/waiting"
    answer = web.get(url, params={"project": project.name}, headers=HTML, timeout=TIMEOUT_S)
    if answer.headers.get("Content-Type", "").startswith("text/html") and "refresh" in answer.text:
        return ""
    return f"the door answers {answer.status_code} without a page"


def _status(web: requests.Session, url: str) -> int:
    return web.get(url, timeout=TIMEOUT_S).status_code


# --- ports -------------------------------------------------------------------------------------------------


def ports(site: Site) -> list[int]:
    """TCP ports that the site's own programs have, and others that are often open by mistake."""
    addresses = (*names.DOOR_ADDRESSES, names.DOOR_ENTRY, STATUS)
    own = [int(address.rpartition(":")[2]) for address in addresses]
    return sorted({*own, site.registry.port, STUDIOS_PORT, STUDIOS_PORT + 1, PORT, METRICS_PORT, *NEVER})


def open_ports(site: Site, member: Member) -> str:
    """A host answers on its declared ports alone; what listens on the private network alone is shut here."""
    private, address = site.wg_address(member.host), _address(member)
    fine = {port for kind, at, port in listening.declared(site, member) if kind == "tcp" and at != private}
    knocks = [port for port in ports(site) if port not in fine]
    with ThreadPoolExecutor(len(knocks)) as pool:
        answers = pool.map(lambda port: _answers(address, port), knocks)
        answered = [str(port) for port, open_ in zip(knocks, answers, strict=True) if open_]
    return f"answers on {', '.join(answered)}, undeclared" if answered else ""


def _address(member: Member) -> str:
    public = member.address if isinstance(member, Gateway) else None
    return public or member.ssh.address or member.host


def _answers(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), KNOCK_S).close()
    except OSError:
        return False
    return True

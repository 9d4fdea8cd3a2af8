"""A changed Traefik takes over while people are at work: no request fails, no event stream breaks.

Every request is a new connection, sent once: the hardest case, for kept connections stay with the old one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from fleet import names
from tests.box.deploy import Deploy, deploy
from tests.box.fixtures import Hosts
from tests.box.lab import Lab
from tests.box.stream import EventStream
from tests.box.web import session

pytestmark = pytest.mark.thorough

PROXIES = {"gateway": names.TRAEFIK, "gpu-1": names.NODE_PROXY, "gpu-2": names.NODE_PROXY}
# Over all addresses together.
PER_S = 40
# A new connection may find its first packet dropped, which comes again after 1, 2, 3 s.
LONGEST_S = 10.0

INVENTORY = '''"""The lab's site with another Traefik."""

from fleet import site
from lab.site import lab_site

_site = lab_site()
_site["traefik"] = {{**_site.get("traefik", {{}}), "drain_s": {drain_s}}}
_site["images"] = {{**_site.get("images", {{}}), **{images!r}}}
gateway, gpu = site(__file__, _site)
'''


class Visitors:
    """Who asks for every project and for the gateway's own health, again and again."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._end = threading.Event()
        self.problems: list[str] = []
        self.asked = 0

    def visit(self) -> None:
        addresses: list[tuple[str, tuple[str, str] | None]]
        addresses = [(f"{one.url}health/live", one.auth) for one in self._lab.logins.values()]
        addresses.append((f"https://{self._lab.domain}/vibevoice/health", None))
        begin = time.monotonic()
        with ThreadPoolExecutor(PER_S * int(LONGEST_S)) as pool:
            while not self._end.is_set():
                pool.submit(self._ask, *addresses[self.asked % len(addresses)])
                self.asked += 1
                time.sleep(max(0.0, begin + self.asked / PER_S - time.monotonic()))

    def leave(self) -> None:
        self._end.set()

    def _ask(self, url: str, auth: tuple[str, str] | None) -> None:
        asked = f"{time.strftime('%H:%M:%S')} {url}"
        try:
            with session(self._lab.domain, self._lab.gateway_ip, self._lab.ca_root) as web:
                answer = web.get(url, auth=auth, timeout=LONGEST_S)
            if answer.status_code != 200:
                self.problems.append(f"{asked}: {answer.status_code} {answer.text[:100]}")
        except requests.RequestException as error:
            self.problems.append(f"{asked}: {error}")


@contextmanager
def at_work(lab: Lab) -> Iterator[Visitors]:
    """Visitors, and an open event stream of each project; AssertionError if any of them noticed anything."""
    visitors = Visitors(lab)
    thread = threading.Thread(target=visitors.visit)
    podcast, debate = (EventStream(lab, lab.logins[name]) for name in ("podcast", "debate"))
    with podcast, debate:
        thread.start()
        try:
            yield visitors
            # What happened has its aftermath.
            time.sleep(3)
        finally:
            visitors.leave()
            thread.join()
    assert visitors.asked > 3 * PER_S
    assert not visitors.problems, "\n".join(sorted(visitors.problems))
    assert podcast.complaint is None
    assert debate.complaint is None


def with_traefik(folder: Path, drain_s: int, **images: str) -> Path:
    inventory = folder / "lab.py"
    inventory.write_text(INVENTORY.format(drain_s=drain_s, images=images))
    return inventory


def running(hosts: Hosts) -> dict[str, str]:
    """`{host: id of its Traefik}`."""
    return {
        host: hosts[host].check_output("docker inspect -f '{{.Id}}' %s", name)
        for host, name in PROXIES.items()
    }


def names_of(hosts: Hosts, host: str) -> list[str]:
    """Its Traefik, and what is left of others."""
    found = hosts[host].check_output("docker ps -a --format '{{.Names}}'").split()
    return sorted(name for name in found if name.startswith(PROXIES[host]))


@pytest.fixture(scope="module", autouse=True)
def site() -> Iterator[None]:
    """The lab's own Traefik is deployed at the end."""
    yield
    deploy("-y", log="traefik-after")


def test_a_changed_traefik_takes_over_unnoticed_on_every_host(lab: Lab, hosts: Hosts, tmp_path: Path) -> None:
    before = running(hosts)
    with at_work(lab):
        deploy("-y", inventory=with_traefik(tmp_path, 601), log="traefik-changed")
        after = running(hosts)
        assert not set(before.values()) & set(after.values())
        # The streams are still open, so the one that began them is still there.
        assert names_of(hosts, "gateway") == [names.TRAEFIK, f"{names.TRAEFIK}-old-{before['gateway'][:12]}"]
    deadline = time.monotonic() + 60
    while any(names_of(hosts, host) != [name] for host, name in PROXIES.items()):
        assert time.monotonic() < deadline, {host: names_of(hosts, host) for host in PROXIES}
        time.sleep(1)
    assert all("vibevoice_hold" not in hosts[host].check_output("nft list tables") for host in PROXIES)


def test_one_that_does_not_come_up_leaves_the_old_one_serving(lab: Lab, hosts: Hosts, tmp_path: Path) -> None:
    before = running(hosts)
    static = hosts["gateway"].check_output("sha256sum /etc/vibevoice/traefik/traefik.yml")
    with at_work(lab):
        # An image that is there and is no Traefik.
        inventory = with_traefik(tmp_path, 602, traefik="haproxy:3.0")
        run = Deploy("-y", inventory=inventory, log="traefik-wrong").wait()
    assert run.code == 1, run.tail
    assert "vv-traefik-new ended by itself; its last lines:" in run.text
    assert "vv-traefik was not replaced and goes on serving as it is." in run.text
    assert running(hosts) == before
    assert names_of(hosts, "gateway") == [names.TRAEFIK]
    # After a reboot it would read its own files, not those of the other.
    assert hosts["gateway"].check_output("sha256sum /etc/vibevoice/traefik/traefik.yml") == static

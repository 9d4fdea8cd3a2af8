"""The door under attack, dead, and exchanged: it stays closed to the ones and open to the others."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from testinfra.host import Host

from fleet import names
from tests.box.deploy import Deploy
from tests.box.fixtures import Hosts, Logins
from tests.box.lab import REPO, Lab
from tests.box.patience import PATIENCE
from tests.box.people import SESSION, Visitor
from tests.box.web import TIMEOUT_S, answers, session

ATTEMPTS = 2000
AUDIT = "/srv/vibevoice/door/audit"

# Runs on the attacker's host: as fast as a script can, over kept connections, bounded in count and time.
ATTACK = r"""
import http.client, json, re, ssl, sys, threading, time
domain, address, attempts = sys.argv[1], sys.argv[2], int(sys.argv[3])
tls = ssl.create_default_context(cafile="/tmp/lab-root.pem")
begin, statuses, lock = time.monotonic(), {}, threading.Lock()

class Connection(http.client.HTTPSConnection):
    def connect(self):
        import socket
        self.sock = tls.wrap_socket(socket.create_connection((address, 443), 20), server_hostname=domain)

def attack(numbers):
    connection = Connection(domain, timeout=30)
    connection.request("GET", "/vibevoice/login", headers={"Accept": "text/html"})
    page = connection.getresponse()
    cookies = "; ".join(h.split(";")[0] for h in page.headers.get_all("Set-Cookie") or [])
    form = re.search(r'name="form" value="([^"]+)"', page.read().decode())[1]
    for number in numbers:
        if time.monotonic() - begin > 240:
            return
        body = f"form={form}&name=attacked-{number % 7}&password=guess-number-{number}"
        headers = {"Origin": f"https://{domain}", "Cookie": cookies, "Accept": "text/html",
                   "Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", "/vibevoice/login", body, headers)
        answer = connection.getresponse()
        answer.read()
        with lock:
            statuses[answer.status] = statuses.get(answer.status, 0) + 1

threads = [threading.Thread(target=attack, args=(range(n, attempts, 40),)) for n in range(40)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(json.dumps({"statuses": statuses, "seconds": time.monotonic() - begin}))
"""


def _log_in_s(lab: Lab, user: str) -> float:
    """Seconds of one login of a new device at home: the form's answer alone."""
    with Visitor(lab) as visitor:
        visitor.get("/vibevoice/login")
        begin = time.monotonic()
        answer = visitor.log_in(user, lab.users[user])
        assert answer.status_code == 303, answer.status_code
        return time.monotonic() - begin


@pytest.mark.thorough
def test_two_thousand_failed_logins_hold_up_nobody_else(lab: Lab, hosts: Hosts) -> None:
    attacker, gateway = hosts["visitor"], hosts["gateway"]
    if attacker.run("command -v python3").rc:
        attacker.check_output(
            "apt-get -qq update && DEBIAN_FRONTEND=noninteractive "
            "apt-get -qq -y install --no-install-recommends python3 >/dev/null"
        )
    root = lab.ca_root.read_text()
    attacker.check_output("printf %%s %s > /tmp/lab-root.pem", root)
    before = _audited(gateway, lab.hosts["visitor"])
    quiet = statistics.median(_log_in_s(lab, "bo") for _ in range(9))

    said: list[str] = []
    # Its own TLS must not take the CPU that the gateway shares with it here.
    command = ("nice -n 19 python3 -c %s %s %s %s", ATTACK, lab.domain, lab.gateway_ip, str(ATTEMPTS))
    attack = threading.Thread(target=lambda: said.append(attacker.check_output(*command)))
    attack.start()
    time.sleep(1)
    times: list[float] = []
    while attack.is_alive() and len(times) < 40:
        times.append(_log_in_s(lab, "bo"))
        time.sleep(0.1)
    attack.join(300)

    statuses = Counter({int(status): count for status, count in json.loads(said[0])["statuses"].items()})
    assert sum(statuses.values()) == ATTEMPTS
    assert set(statuses) == {401, 429}
    assert len(times) >= 5, "the attack was over before it could be measured"
    print(f"\nlogin in quiet {quiet:.3f} s, under attack {statistics.median(times):.3f} s; {dict(statuses)}")
    after = _audited(gateway, lab.hosts["visitor"])
    assert sum((after - before).values()) == ATTEMPTS
    assert (after - before)["login_failed"] == statuses[401]
    # Behind forty attackers in a queue it would take forty times as long. The attack's own TLS is on the same
    # cores: 2.3 times was seen on busy ones.
    assert statistics.median(times) < 1.5 * PATIENCE * quiet


def _audited(gateway: Host, address: str) -> Counter[str]:
    """How many failed logins of an address the audit log holds, by event."""
    lines = gateway.run(f"cat {AUDIT}/*.jsonl").stdout.splitlines()
    entries = [json.loads(line) for line in lines if address in line]
    failed = ("login_failed", "login_slowed")
    return Counter(one["event"] for one in entries if one["address"] == address and one["event"] in failed)


def test_the_audit_log_holds_no_secret(lab: Lab, hosts: Hosts) -> None:
    log = hosts["gateway"].check_output(f"cat {AUDIT}/*.jsonl")
    assert "guess-number" not in log
    assert not any(password in log for password in lab.users.values())
    assert hosts["gateway"].check_output(f"stat -c %a {AUDIT}/*.jsonl | sort -u") == "600"


@pytest.fixture
def li(lab: Lab) -> Iterator[Visitor]:
    with Visitor(lab) as visitor:
        assert visitor.log_in("li", lab.users["li"]).status_code == 303
        yield visitor


def test_without_a_door_nothing_is_open(lab: Lab, hosts: Hosts, logins: Logins, li: Visitor) -> None:
    gateway = hosts["gateway"]
    assert li.get("/vibevoice/podcast/health/live").status_code == 200
    # Killed from within Docker it would start again at once; stopped it stays away.
    gateway.check_output(f"docker kill {' '.join(names.DOORS)}")
    gateway.run(f"docker stop {' '.join(names.DOORS)}")
    try:
        with session(lab.domain, lab.gateway_ip, lab.ca_root) as stranger:
            for project, login in logins.items():
                for path in ("", "health/live", "v1/models", "gradio_api/info"):
                    url = f"{login.url}{path}"
                    for answer in (
                        stranger.get(url, timeout=TIMEOUT_S),
                        stranger.get(url, auth=login.auth, timeout=TIMEOUT_S),
                        stranger.get(url, headers={"Accept": "text/html"}, timeout=TIMEOUT_S),
                        li.get(url),
                    ):
                        assert answer.status_code == 503, f"{project}/{path}: {answer.status_code}"
            # The door's own pages may say 502 until the next health check, a second later.
            time.sleep(1.5)
            for path in ("/vibevoice/", "/vibevoice/login", "/vibevoice/door/keys"):
                assert li.get(path).status_code == 503
    finally:
        gateway.check_output(f"docker start {' '.join(names.DOORS)}")
        with session(lab.domain, lab.gateway_ip, lab.ca_root) as web:
            answers(web, f"{logins['debate'].url}health/live", logins["debate"].auth, 30)
    # Who was logged in still is.
    assert li.get("/vibevoice/podcast/health/live").status_code == 200


class Regulars:
    """People with sessions who ask steadily while something happens to the door."""

    def __init__(self, lab: Lab, cookie: str) -> None:
        self.statuses: Counter[int | str] = Counter()
        self._lab, self._cookie = lab, cookie
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(4)]

    def __enter__(self) -> Regulars:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join(30)

    def _ask(self) -> None:
        url = f"https://{self._lab.domain}/vibevoice/podcast/health/live"
        headers = {"Cookie": f"{SESSION}={self._cookie}"}
        with session(self._lab.domain, self._lab.gateway_ip, self._lab.ca_root) as web:
            while not self._end.wait(0.05):
                try:
                    answer = web.get(url, headers=headers, timeout=TIMEOUT_S)
                except requests.RequestException as error:
                    self.statuses[repr(error)] += 1
                else:
                    self.statuses[answer.status_code] += 1


def test_one_door_killed_is_noticed_by_nobody(lab: Lab, hosts: Hosts, li: Visitor) -> None:
    assert li.cookie
    with Regulars(lab, li.cookie) as regulars:
        for name in names.DOORS:
            time.sleep(1)
            hosts["gateway"].check_output("kill -9 $(docker inspect -f '{{.State.Pid}}' %s)", name)
            time.sleep(4)
    assert regulars.statuses[200] > 100
    assert set(regulars.statuses) == {200}


@pytest.fixture(scope="module")
def upgraded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with another version of the door in it, for a deploy of its own."""
    checkout = tmp_path_factory.mktemp("checkout")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    tree = subprocess.run(command, cwd=REPO, check=True, capture_output=True).stdout
    for name in tree.decode().split("\0"):
        if name and (REPO / name).is_file():
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPO / name, checkout / name)
    for name in ("lab.known_hosts", "lab.secrets.toml"):
        shutil.copy(REPO / "inventory" / name, checkout / "inventory" / name)
    with (checkout / "app/door/__init__.py").open("a") as module:
        module.write('\nNEXT = "another version"\n')
    return checkout


@pytest.mark.thorough
def test_an_upgrade_of_the_door_under_load_fails_no_request(
    lab: Lab, hosts: Hosts, li: Visitor, upgraded: Path
) -> None:
    gateway = hosts["gateway"]
    before = _images(gateway)
    assert li.cookie
    with Regulars(lab, li.cookie) as regulars:
        run = Deploy("-y", "--limit", "gateway", log="door-upgrade", checkout=upgraded).wait()
        assert run.code == 0, run.tail
        new = _images(gateway)
        # And back, which is an upgrade as well.
        back = Deploy("-y", "--limit", "gateway", log="door-upgrade-back").wait()
        assert back.code == 0, back.tail
    assert len(set(before)) == len(set(new)) == 1
    assert before != new
    assert _images(gateway) == before
    assert regulars.statuses[200] > 100
    assert set(regulars.statuses) == {200}


def _images(gateway: Host) -> list[str]:
    return gateway.check_output("docker inspect -f '{{.Image}}' %s %s", *names.DOORS).split()

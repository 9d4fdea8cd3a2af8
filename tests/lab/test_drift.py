"""Whatever a hand changes on a host, ops/drift.py names that and nothing else; a deployed site has none."""

from __future__ import annotations

import base64
import json
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from testinfra.host import Host

from roles.drift.finding import KINDS
from tests.box.deploy import Deploy, Run, deploy
from tests.box.fixtures import Hosts

LIMIT_S = 60.0
DYNAMIC = "/etc/vibevoice/traefik/dynamic"
ROUTE = """http:
  routers: {by-hand: {rule: 'Path(`/by-hand`)', entryPoints: [internal], service: 'ping@internal'}}
"""
NEEDRESTART = "/etc/needrestart/conf.d/vibevoice.conf"
WG = "/etc/wireguard/wg0.conf"
ACME = "/srv/vibevoice/certs/acme.json"
TOOLKIT = "nvidia-container-toolkit-base"
UPGRADE = f"""set -e; cd $(mktemp -d)
apt-get -q download {TOOLKIT}=$(dpkg-query -W -f '${{Version}}' {TOOLKIT})
dpkg-deb -R *.deb tree; sed -i 's/^Version: .*/Version: 1.99.0-1/' tree/DEBIAN/control
dpkg-deb -b tree new.deb; dpkg -i new.deb"""
APT = "DEBIAN_FRONTEND=noninteractive apt-get -q -y --allow-downgrades --allow-change-held-packages install"


@dataclass(frozen=True)
class Change:
    """A change by hand: its kind, the host, what is done and undone in a shell, and what drift calls it."""

    kind: str
    host: str
    do: str
    undo: str
    what: str


def write(text: str, path: str) -> str:
    return f"printf %s {shlex.quote(text)} > {path}"


CHANGES: dict[str, Change] = {
    "a file's content": Change(
        "configuration file",
        "gateway",
        f"cp -a {NEEDRESTART} /root/kept; echo >> {NEEDRESTART}",
        f"mv /root/kept {NEEDRESTART}",
        NEEDRESTART,
    ),
    "a file's mode": Change(
        "configuration file",
        "gpu-2",
        "chmod 666 /etc/vibevoice/firewall.nft",
        "chmod 644 /etc/vibevoice/firewall.nft",
        "/etc/vibevoice/firewall.nft",
    ),
    "a file's owner": Change(
        "configuration file",
        "gpu-1",
        "chown nobody /etc/docker/daemon.json",
        "chown root /etc/docker/daemon.json",
        "/etc/docker/daemon.json",
    ),
    "the private network's configuration": Change(
        "configuration file",
        "gpu-1",
        f"cp -a {WG} /root/kept; sed -i 's/^PersistentKeepalive.*/PersistentKeepalive = 5/' {WG}",
        f"mv /root/kept {WG}",
        WG,
    ),
    "a stopped unit": Change(
        "unit",
        "gpu-2",
        "systemctl stop nvidia-persistenced.service",
        "systemctl start nvidia-persistenced.service",
        "nvidia-persistenced.service",
    ),
    "a disabled unit": Change(
        "unit",
        "gateway",
        "systemctl disable vibevoice-docker-heal.service",
        "systemctl enable vibevoice-docker-heal.service",
        "vibevoice-docker-heal.service",
    ),
    "a masked unit": Change(
        "unit",
        "gpu-1",
        "systemctl mask nvidia-cdi-refresh.path",
        "systemctl unmask nvidia-cdi-refresh.path",
        "nvidia-cdi-refresh.path",
    ),
    "a drop-in": Change(
        "unit",
        "gpu-1",
        write("[Service]\nLimitNOFILE=99\n", "/etc/systemd/system/docker.service.d/by-hand.conf"),
        "rm /etc/systemd/system/docker.service.d/by-hand.conf; systemctl daemon-reload",
        "/etc/systemd/system/docker.service.d/by-hand.conf",
    ),
    "a hold removed": Change(
        "package hold", "gpu-1", "apt-mark unhold docker.io", "apt-mark hold docker.io", "docker.io"
    ),
    "a held package upgraded": Change(
        "package hold",
        "gpu-2",
        UPGRADE,
        f"{APT} {TOOLKIT}=1.20.0-1; apt-mark hold {TOOLKIT}",
        TOOLKIT,
    ),
    "another module loaded": Change(
        "driver",
        "gpu-2",
        "cp /run/nvidia-stub/loaded /root/kept; echo 580.1.1 > /run/nvidia-stub/loaded",
        "mv /root/kept /run/nvidia-stub/loaded",
        "nvidia driver",
    ),
    "a rule added": Change(
        "firewall rule",
        "gpu-1",
        "nft add rule inet vibevoice input tcp dport 9999 accept",
        "/usr/local/lib/vibevoice/firewall load /etc/vibevoice/firewall.nft",
        "chain input",
    ),
    "the walls torn down": Change(
        "firewall rule",
        "gpu-2",
        "nft delete table inet vibevoice",
        "/usr/local/lib/vibevoice/firewall load /etc/vibevoice/firewall.nft",
        "table inet vibevoice",
    ),
    "a container": Change(
        "extra container",
        "gpu-1",
        "docker run -d --name by-hand --network none --entrypoint sleep haproxy:3.0 600",
        "docker rm -f by-hand",
        "by-hand",
    ),
    "a listening port": Change(
        "extra listening port",
        "gateway",
        "systemd-run --unit=by-hand systemd-socket-activate -l 9100 /bin/cat",
        "systemctl stop by-hand",
        ":9100/tcp",
    ),
    "a route of the gateway": Change(
        "route", "gateway", write(ROUTE, f"{DYNAMIC}/by-hand.yml"), f"rm {DYNAMIC}/by-hand.yml", "by-hand"
    ),
    "a route of a node": Change(
        "route", "gpu-1", write(ROUTE, f"{DYNAMIC}/by-hand.yml"), f"rm {DYNAMIC}/by-hand.yml", "by-hand"
    ),
    "a login": Change(
        "user", "gpu-1", "useradd -m -s /bin/bash mallory", "userdel -r mallory", "account mallory"
    ),
    "a second root": Change(
        "user", "gateway", "useradd -o -u 0 -M -s /bin/sh toor", "userdel -f toor", "account toor"
    ),
    "somebody in Docker's group": Change(
        "user", "gpu-1", "gpasswd -a www-data docker", "gpasswd -d www-data docker", "account www-data"
    ),
    "a sudo rule": Change(
        "user",
        "gpu-2",
        write("www-data ALL=(ALL) NOPASSWD: ALL\n", "/etc/sudoers.d/by-hand"),
        "rm /etc/sudoers.d/by-hand",
        "/etc/sudoers.d/by-hand",
    ),
    "an authorized key": Change(
        "user",
        "gateway",
        "cp -a /root/.ssh/authorized_keys /root/kept; ssh-keygen -q -t ed25519 -N '' -f /root/new; "
        "cat /root/new.pub >> /root/.ssh/authorized_keys; rm /root/new /root/new.pub",
        "mv /root/kept /root/.ssh/authorized_keys",
        "/root/.ssh/authorized_keys",
    ),
    "a kernel setting": Change(
        "sysctl",
        "gpu-1",
        "sysctl -w net.ipv4.tcp_keepalive_time=7200",
        "sysctl -w net.ipv4.tcp_keepalive_time=120",
        "net.ipv4.tcp_keepalive_time",
    ),
}


def look(log: str) -> Run:
    return Deploy("--data", "json=1", operations="ops/drift.py", log=log).wait(LIMIT_S)


def found(run: Run) -> list[dict[str, Any]]:
    assert run.code in (0, 2), run.tail
    return run.json["drift"]


@pytest.fixture(scope="module", autouse=True)
def converged() -> None:
    """Whatever came before: the site is as the inventory has it."""
    deploy("-y", log="drift-converge")


@contextmanager
def changed(host: Host, do: str, undo: str) -> Iterator[None]:
    """A change made by hand, and undone whatever happens."""
    try:
        host.check_output("sh -c %s", do)
        yield
    finally:
        host.check_output("sh -c %s", undo)


def sees(kind: str, host: str, what: str) -> None:
    """Drift finds that, on that host, and no other kind anywhere."""
    run = look(f"drift-{kind.replace(' ', '-')}")
    rows = found(run)
    assert run.code == 2, run.tail
    assert {(row["kind"], row["host"]) for row in rows} == {(kind, host)}, rows
    assert any(what in row["what"] for row in rows), rows
    assert all(row["remedy"] for row in rows)


def test_a_site_as_deployed_has_no_drift_and_is_looked_at_within_seconds() -> None:
    run = look("drift-none")
    assert found(run) == []
    assert run.code == 0
    assert run.json["looked_at"] == ["gateway", "gpu-1", "gpu-2"]
    assert run.seconds < 10, run.tail


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_by_hand_is_found_and_named(hosts: Hosts, name: str) -> None:
    change = CHANGES[name]
    with changed(hosts[change.host], change.do, change.undo):
        if change.kind == "route":
            time.sleep(1)  # Traefik gathers changes of its folder
        sees(change.kind, change.host, change.what)


def arguments(hosts: Hosts, project: str, slot: int) -> list[str]:
    """`docker create …` of a studio, as the last deploy wrote it down."""
    lines = hosts["gateway"].check_output("cat /srv/vibevoice/versions.jsonl").splitlines()
    studios = json.loads(lines[-1])["projects"][project]["studios"]
    (mine,) = [studio["arguments"] for studio in studios if studio["slot"] == slot]
    return mine


def start(create: list[str]) -> str:
    name = create[create.index("--name") + 1]
    return f"docker rm -f {name} >/dev/null; {shlex.join(create)} >/dev/null && docker start {name}"


def another_image(host: Host, create: list[str]) -> list[str]:
    name = create[create.index("--name") + 1]
    host.check_output("docker commit --change 'LABEL by=hand' %s by-hand/studio:1", name)
    return [*create[:-1], "by-hand/studio:1"]


def another_variable(host: Host, create: list[str]) -> list[str]:
    return [word.replace("VV_STREAMS=8", "VV_STREAMS=3") for word in create]


def another_label(host: Host, create: list[str]) -> list[str]:
    return [word.replace("healthcheck.interval=1s", "healthcheck.interval=3s") for word in create]


def another_gpu(host: Host, create: list[str]) -> list[str]:
    own = create[create.index("--device") + 1]
    listed = host.check_output("nvidia-smi --query-gpu=uuid --format=csv,noheader").split()
    (other,) = [uuid for uuid in listed if uuid not in own]
    return ["docker", "create", "--device", f"nvidia.com/gpu={other}", *create[2:]]


BY_HAND: dict[str, tuple[str, str, Callable[[Host, list[str]], list[str]], str]] = {
    "image": ("gpu-2", "debate", another_image, "vv-debate-0-"),
    "specification": ("gpu-2", "debate", another_variable, "variable VV_STREAMS"),
    "label": ("gpu-2", "debate", another_label, "healthcheck.interval"),
    "device": ("gpu-1", "podcast", another_gpu, "vv-podcast-0-"),
}


@pytest.mark.parametrize("kind", BY_HAND)
def test_a_studio_made_anew_by_hand_is_found_and_named(hosts: Hosts, kind: str) -> None:
    node, project, change, what = BY_HAND[kind]
    host, create = hosts[node], arguments(hosts, project, 0)
    made = change(host, create)
    assert made != create
    undo = f"{start(create)}; docker rmi by-hand/studio:1 2>/dev/null || true"
    with changed(host, start(made), undo):
        sees(kind, node, what)


def test_a_certificate_put_there_by_hand_is_found_and_named(hosts: Hosts) -> None:
    gateway = hosts["gateway"]
    store = json.loads(gateway.check_output("cat %s", ACME))
    (held,) = [one for one in store["acme"]["Certificates"] if one["domain"]["main"]]
    domain = held["domain"]["main"]
    made = gateway.check_output(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 90 "
        "-subj /CN=%s -addext subjectAltName=DNS:%s -keyout - -out - 2>/dev/null",
        domain,
        domain,
    )
    key, _, certificate = made.partition("-----BEGIN CERTIFICATE-----")
    held["key"] = base64.b64encode(key.encode()).decode()
    held["certificate"] = base64.b64encode(f"-----BEGIN CERTIFICATE-----{certificate}\n".encode()).decode()
    text = base64.b64encode(json.dumps(store, indent=2).encode()).decode()
    answers = "for n in $(seq 50); do curl -fs 127.0.0.1:8082/ping && break; sleep .2; done"
    restart = f"docker restart vv-traefik && {answers}"
    do = f"cp -a {ACME} /root/kept && echo {text} | base64 -d > {ACME} && {restart}"
    with changed(gateway, do, f"mv /root/kept {ACME} && {restart}"):
        sees("certificate", "gateway", domain)


def test_every_kind_is_tried_here() -> None:
    assert {change.kind for change in CHANGES.values()} | set(BY_HAND) | {"certificate"} == set(KINDS)


def answers(host: Host) -> bool:
    # testinfra takes a host that refuses the connection for an error of its own.
    try:
        return host.run("true").rc == 0
    except RuntimeError:
        return False


@contextmanager
def silent(host: Host) -> Iterator[None]:
    """A host without an sshd, which comes back by itself; left once it has, whatever happened meanwhile."""
    host.check_output("systemd-run --on-active=15s systemctl start ssh.service && systemctl stop ssh.service")
    try:
        yield
    finally:
        deadline = time.monotonic() + 60
        while not answers(host):
            assert time.monotonic() < deadline, "its sshd did not come back"
            time.sleep(1)


def test_a_host_that_is_silent_is_named_and_hides_no_other(hosts: Hosts) -> None:
    with silent(hosts["gpu-2"]):
        run = look("drift-silent")
    assert run.code == 1, run.tail
    assert run.json["looked_at"] == ["gateway", "gpu-1"]
    assert set(run.json["unreachable"]) == {"gpu-2"}
    assert run.json["drift"] == []


def test_nothing_is_left_of_all_that() -> None:
    assert found(look("drift-after")) == []

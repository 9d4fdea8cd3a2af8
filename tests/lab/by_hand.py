"""What somebody may change by hand on the lab's hosts, each with its way back; fit to be done all at once."""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass

from testinfra.host import Host

from roles.drift.finding import Kind
from tests.box.fixtures import Hosts

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
    """A change by hand: the host, what is done and undone in a shell, and by kind what drift calls it."""

    host: str
    do: str
    undo: str
    names: dict[Kind, str]


def write(text: str, path: str) -> str:
    return f"printf %s {shlex.quote(text)} > {path}"


CHANGES = (
    # a file's content
    Change(
        "gateway",
        f"cp -a {NEEDRESTART} /root/kept-file; echo >> {NEEDRESTART}",
        f"mv /root/kept-file {NEEDRESTART}",
        {"configuration file": NEEDRESTART},
    ),
    # a file's mode
    Change(
        "gpu-2",
        "chmod 666 /etc/vibevoice/firewall.nft",
        "chmod 644 /etc/vibevoice/firewall.nft",
        {"configuration file": "/etc/vibevoice/firewall.nft"},
    ),
    # a file's owner
    Change(
        "gpu-1",
        "chown nobody /etc/docker/daemon.json",
        "chown root /etc/docker/daemon.json",
        {"configuration file": "/etc/docker/daemon.json"},
    ),
    # the private network's configuration
    Change(
        "gpu-1",
        f"cp -a {WG} /root/kept-wg; sed -i 's/^PersistentKeepalive.*/PersistentKeepalive = 5/' {WG}",
        f"mv /root/kept-wg {WG}",
        {"configuration file": WG},
    ),
    # a stopped unit
    Change(
        "gpu-2",
        "systemctl stop nvidia-persistenced.service",
        "systemctl start nvidia-persistenced.service",
        {"unit": "nvidia-persistenced.service"},
    ),
    # a disabled unit
    Change(
        "gateway",
        "systemctl disable vibevoice-docker-heal.service",
        "systemctl enable vibevoice-docker-heal.service",
        {"unit": "vibevoice-docker-heal.service"},
    ),
    # a masked unit
    Change(
        "gpu-1",
        "systemctl mask nvidia-cdi-refresh.path",
        "systemctl unmask nvidia-cdi-refresh.path",
        {"unit": "nvidia-cdi-refresh.path"},
    ),
    # a drop-in
    Change(
        "gpu-1",
        write("[Service]\nLimitNOFILE=99\n", "/etc/systemd/system/docker.service.d/by-hand.conf"),
        "rm /etc/systemd/system/docker.service.d/by-hand.conf; systemctl daemon-reload",
        {"unit": "/etc/systemd/system/docker.service.d/by-hand.conf"},
    ),
    # a hold removed
    Change("gpu-1", "apt-mark unhold docker.io", "apt-mark hold docker.io", {"package hold": "docker.io"}),
    # a held package upgraded
    Change("gpu-2", UPGRADE, f"{APT} {TOOLKIT}=1.20.0-1; apt-mark hold {TOOLKIT}", {"package hold": TOOLKIT}),
    # another module loaded
    Change(
        "gpu-2",
        "cp /run/nvidia-stub/loaded /root/kept-driver; echo 580.1.1 > /run/nvidia-stub/loaded",
        "mv /root/kept-driver /run/nvidia-stub/loaded",
        {"driver": "nvidia driver"},
    ),
    # a rule added
    Change(
        "gpu-1",
        "nft add rule inet vibevoice input tcp dport 9999 accept",
        "/usr/local/lib/vibevoice/firewall load /etc/vibevoice/firewall.nft",
        {"firewall rule": "chain input"},
    ),
    # the walls torn down
    Change(
        "gpu-2",
        "nft delete table inet vibevoice",
        "/usr/local/lib/vibevoice/firewall load /etc/vibevoice/firewall.nft",
        {"firewall rule": "table inet vibevoice"},
    ),
    # a container
    Change(
        "gpu-1",
        "docker run -d --name by-hand --network none --entrypoint sleep haproxy:3.0 600",
        "docker rm -f by-hand",
        {"extra container": "by-hand"},
    ),
    # a listening port
    Change(
        "gateway",
        "systemd-run --unit=by-hand systemd-socket-activate -l 9100 /bin/cat",
        "systemctl stop by-hand",
        {"extra listening port": ":9100/tcp"},
    ),
    # a route of the gateway
    Change(
        "gateway", write(ROUTE, f"{DYNAMIC}/by-hand.yml"), f"rm {DYNAMIC}/by-hand.yml", {"route": "by-hand"}
    ),
    # a route of a node
    Change(
        "gpu-1", write(ROUTE, f"{DYNAMIC}/by-hand.yml"), f"rm {DYNAMIC}/by-hand.yml", {"route": "by-hand"}
    ),
    # a login
    Change("gpu-1", "useradd -m -s /bin/bash mallory", "userdel -r mallory", {"user": "account mallory"}),
    # a second root
    Change("gateway", "useradd -o -u 0 -M -s /bin/sh toor", "userdel -f toor", {"user": "account toor"}),
    # somebody in Docker's group
    Change("gpu-1", "gpasswd -a www-data docker", "gpasswd -d www-data docker", {"user": "account www-data"}),
    # a sudo rule
    Change(
        "gpu-2",
        write("www-data ALL=(ALL) NOPASSWD: ALL\n", "/etc/sudoers.d/by-hand"),
        "rm /etc/sudoers.d/by-hand",
        {"user": "/etc/sudoers.d/by-hand"},
    ),
    # an authorized key
    Change(
        "gateway",
        "cp -a /root/.ssh/authorized_keys /root/kept-keys; ssh-keygen -q -t ed25519 -N '' -f /root/new; "
        "cat /root/new.pub >> /root/.ssh/authorized_keys; rm /root/new /root/new.pub",
        "mv /root/kept-keys /root/.ssh/authorized_keys",
        {"user": "/root/.ssh/authorized_keys"},
    ),
    # a kernel setting
    Change(
        "gpu-1",
        "sysctl -w net.ipv4.tcp_keepalive_time=7200",
        "sysctl -w net.ipv4.tcp_keepalive_time=120",
        {"sysctl": "net.ipv4.tcp_keepalive_time"},
    ),
)


def every(hosts: Hosts) -> list[Change]:
    """All of them: one of each kind at least."""
    studios = [studio(hosts, node, project) for node, project in STUDIOS]
    return [*CHANGES, *studios, certificate(hosts["gateway"])]


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


# Studios that are made anew by hand, by node and project: of each kind what is changed, and what drift says.
STUDIOS: dict[tuple[str, str], dict[Kind, tuple[Callable[[Host, list[str]], list[str]], str]]] = {
    ("gpu-2", "debate"): {
        "image": (another_image, "vv-debate-0-"),
        "specification": (another_variable, "variable VV_STREAMS"),
        "label": (another_label, "healthcheck.interval"),
    },
    ("gpu-1", "podcast"): {"device": (another_gpu, "vv-podcast-0-")},
}


def studio(hosts: Hosts, node: str, project: str) -> Change:
    """The first studio of a project made anew, another in every way that STUDIOS has for it."""
    create = made = arguments(hosts, project, 0)
    for change, _ in STUDIOS[node, project].values():
        before, made = made, change(hosts[node], made)
        assert made != before
    undo = f"{start(create)} && docker image ls -q by-hand/studio | xargs -r docker rmi"
    return Change(node, start(made), undo, {kind: what for kind, (_, what) in STUDIOS[node, project].items()})


def certificate(gateway: Host) -> Change:
    """A certificate of one's own in the place of the site's."""
    store = json.loads(gateway.check_output("cat %s", ACME))
    (held,) = [one for one in store["acme"]["Certificates"] if one["domain"]["main"]]
    domain = held["domain"]["main"]
    made = gateway.check_output(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 90 "
        "-subj /CN=%s -addext subjectAltName=DNS:%s -keyout - -out - 2>/dev/null",
        domain,
        domain,
    )
    key, _, text = made.partition("-----BEGIN CERTIFICATE-----")
    held["key"] = base64.b64encode(key.encode()).decode()
    held["certificate"] = base64.b64encode(f"-----BEGIN CERTIFICATE-----{text}\n".encode()).decode()
    changed = base64.b64encode(json.dumps(store, indent=2).encode()).decode()
    answers = "for n in $(seq 50); do curl -fs 127.0.0.1:8082/ping && break; sleep .2; done"
    restart = f"docker restart vv-traefik && {answers}"
    do = f"cp -a {ACME} /root/kept-acme && echo {changed} | base64 -d > {ACME} && {restart}"
    return Change("gateway", do, f"mv /root/kept-acme {ACME} && {restart}", {"certificate": domain})

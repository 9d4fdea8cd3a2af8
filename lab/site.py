"""The lab's site, as an inventory has it: production's form, pointed at the lab's little internet.

An inventory of one's own may start from it: `site(__file__, lab_site() | {"projects": [...]})`.
"""

from __future__ import annotations

from typing import Any

from lab.paths import CA_ROOT, INTERNET, KNOWN_HOSTS, SITE_SECRETS, SSH_KEY
from lab.topology import DOMAIN, GATEWAY, GPU_MEMORY_MIB, LOGINS, MACHINE, SITE_DOMAIN, Host, nodes

APT = f"http://{MACHINE}:8100"
WHEELS = f"http://{MACHINE}:8101/simple"
HUB = f"http://{MACHINE}:8102"
DOCKER_HUB = f"http://{MACHINE}:8103"
BACKUPS = f"rest:http://lab:${{REST_PASSWORD}}@{MACHINE}:8104/lab/"
CERTIFICATES = f"https://pebble.{DOMAIN}:14000/dir"
APT_KEY = str(INTERNET / "apt" / "lab.asc")


def lab_site() -> dict[str, Any]:
    """The lab's inventory dictionary; the caller may change its copy."""
    first, *_, last = [*nodes(), *nodes()]
    return {
        "name": "lab",
        "known_hosts": str(KNOWN_HOSTS),
        "secrets_file": str(SITE_SECRETS),
        "domain": SITE_DOMAIN,
        "acme": {
            "email": f"ops@{DOMAIN}",
            "server": CERTIFICATES,
            "server_ca": str(INTERNET / "pebble" / "acme-server-ca.pem"),
            "root": str(CA_ROOT),
        },
        "gateway": {"host": "gateway", "address": GATEWAY, "ssh": {"address": GATEWAY, "key": str(SSH_KEY)}},
        "nodes": [_node(host) for host in nodes()],
        "projects": [
            _project("podcast", first.name, 2),
            # Each of the podcast's users sees their own jobs; those of the debate are everybody's in it.
            _project("debate", last.name, 1) | {"shared": True},
        ],
        "models": [
            {
                "name": "tiny",
                "repo": "lab/VibeVoice-tiny",
                "memory": "1GiB",
                "lock": str(INTERNET / "hub" / "tiny.lock.json"),
            }
        ],
        "docker": {"apt_url": f"{APT}/docker", "apt_key": APT_KEY, "mirrors": [DOCKER_HUB]},
        "nvidia": {
            "apt_url": f"{APT}/nvidia",
            "apt_key": APT_KEY,
            "toolkit_url": f"{APT}/toolkit",
            "toolkit_key": APT_KEY,
        },
        "studio": {
            "hub": HUB,
            "package_index": WHEELS,
            "torch_index": WHEELS,
            "device": "cpu",
            # Tests find engines awake, however long the lab has stood; test_idle_release.py lets one sleep.
            "idle_minutes": 0,
        },
        "backup": {"repository": BACKUPS, "env": ["REST_PASSWORD"]},
    }


def _node(host: Host) -> dict[str, Any]:
    ssh: dict[str, Any] = {"address": host.address, "key": str(SSH_KEY), "user": host.user}
    return {
        "host": host.name,
        "gpus": len(host.gpus),
        "gpu_memory": f"{GPU_MEMORY_MIB}MiB",
        "ssh": ssh | ({"jump": host.jump} if host.jump else {}),
    }


def _project(name: str, node: str, gpus: int) -> dict[str, Any]:
    return {"name": name, "node": node, "gpus": gpus, "model": "tiny", "users": list(LOGINS[name])}

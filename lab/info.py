"""What scripts and people need to know of the lab."""

from __future__ import annotations

from lab import hosts, logins, topology
from lab.paths import CA_ROOT, SSH_CONFIG, SSH_KEY


def info() -> dict:
    """The lab as one object: domain, addresses, keys, each project's address and login, all passwords."""
    return {
        "domain": topology.SITE_DOMAIN,
        "gateway_ip": topology.GATEWAY,
        "ca_root": str(CA_ROOT),
        "ssh_key": str(SSH_KEY),
        "ssh_config": str(SSH_CONFIG),
        "hosts": {host.name: host.address for host in topology.hosts()},
        "projects": {project: _login(project, users[0]) for project, users in topology.LOGINS.items()},
        "users": logins.passwords(),
    }


def states() -> dict[str, str]:
    """``{host: off | booting | up}``."""
    every = topology.hosts()
    return {
        host.name: state for host, state in zip(every, hosts.all_at_once(hosts.state, every), strict=True)
    }


def _login(project: str, user: str) -> dict[str, str]:
    url = f"https://{topology.SITE_DOMAIN}/vibevoice/{project}/"
    return {"url": url, "user": user, "password": logins.passwords()[user]}

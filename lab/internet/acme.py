"""Let's Encrypt's place in the lab: Pebble, and the name server that it asks.

Pebble makes a new issuing root whenever it starts. So it is kept running, and when it had to be
started, what the gateway got from the one before is worthless and is taken away.
"""

from __future__ import annotations

import json
import ssl
import urllib.request
from pathlib import Path

from lab import hosts, process, topology
from lab.internet.cache import command
from lab.paths import CA_ROOT, INTERNET
from lab.topology import MACHINE

DIRECTORY_PORT = 14000
MANAGEMENT_PORT = 15000
DNS_PORT = 8053
DNS_MANAGEMENT_PORT = 8055
NAME = f"pebble.{topology.DOMAIN}"
DIRECTORY_URL = f"https://{NAME}:{DIRECTORY_PORT}/dir"
NEEDS = ("openssl", "pebble")

_HOME = INTERNET / "pebble"
SERVER_CA = _HOME / "acme-server-ca.pem"
_CONFIG = _HOME / "pebble.json"
_STALE = _HOME / "gateway-has-certificates-of-an-earlier-root"
_FORGET = (
    "sh -c 'rm -f /srv/vibevoice/certs/acme.json; "
    "if docker container inspect vv-traefik >/dev/null 2>&1; then docker restart vv-traefik; fi'"
)


def settled() -> bool:
    """Whether Pebble and its name server run, and its root is on file."""
    return process.alive("pebble") and process.alive("pebble-dns") and CA_ROOT.exists()


def ensure() -> bool:
    """Start Pebble and its name server, with an HTTPS certificate kept across runs; fetch the root."""
    _HOME.mkdir(parents=True, exist_ok=True)
    if not (_HOME / "server.pem").exists():
        _make_server_certificate()
    started_dns = process.start("pebble-dns", _dns_argv(), listens=(MACHINE, DNS_MANAGEMENT_PORT))
    started = process.start(
        "pebble", ["pebble", "-config", str(_CONFIG), "-dnsserver", f"{MACHINE}:{DNS_PORT}"],
        listens=(MACHINE, MANAGEMENT_PORT), version=_write_config(),
        # Answers at once, and never refuses a good nonce to test the client.
        env={"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"},
    )  # fmt: skip
    if started or not CA_ROOT.exists():
        _STALE.touch()
        _fetch_root()
    return started or started_dns


def certificates_are_current() -> bool:
    """Whether the gateway can hold no certificate of an earlier root."""
    return not _STALE.exists()


def forget_certificates() -> None:
    """Take the earlier root's certificates, and the account, from the gateway; its Traefik asks anew."""
    done = hosts.run(topology.host("gateway"), _FORGET)
    if done.returncode != 0:
        raise RuntimeError(f"gateway: the old certificates could not be removed:\n{done.stdout}{done.stderr}")
    _STALE.unlink(missing_ok=True)


def _dns_argv() -> list[str]:
    return [
        "pebble-challtestsrv", "-defaultIPv4", topology.GATEWAY, "-defaultIPv6", "",
        "-dns01", f"{MACHINE}:{DNS_PORT}", "-management", f"{MACHINE}:{DNS_MANAGEMENT_PORT}",
        "-http01", "", "-https01", "", "-tlsalpn01", "",
    ]  # fmt: skip


def _write_config() -> str:
    """Pebble's configuration file; returns its text."""
    text = json.dumps(
        {
            "pebble": {
                "listenAddress": f"{MACHINE}:{DIRECTORY_PORT}",
                "managementListenAddress": f"{MACHINE}:{MANAGEMENT_PORT}",
                "certificate": str(_HOME / "server.pem"),
                "privateKey": str(_HOME / "server.key"),
                "httpPort": 80,
                "tlsPort": 443,
                "ocspResponderURL": "",
                "externalAccountBindingRequired": False,
            }
        },
        indent=2,
    )
    _CONFIG.write_text(text)
    return text


def _make_server_certificate() -> None:
    """A small authority for the HTTPS of the ACME server itself; its key is thrown away."""
    authority, leaf = _HOME / "authority.key", _HOME / "server.pem.new"
    new = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    command(
        *new, "-days", "3650", "-subj", "/CN=Lab ACME server authority", "-keyout", authority,
        "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-out", SERVER_CA,
    )  # fmt: skip
    command(
        *new, "-days", "3650", "-subj", f"/CN={NAME}", "-keyout", _HOME / "server.key",
        "-CA", SERVER_CA, "-CAkey", authority,
        "-addext", f"subjectAltName=DNS:{NAME},IP:{MACHINE}",
        "-addext", "basicConstraints=critical,CA:FALSE", "-addext", "extendedKeyUsage=serverAuth",
        "-out", leaf,
    )  # fmt: skip
    authority.unlink()
    leaf.rename(_HOME / "server.pem")


def _fetch_root() -> None:
    trust = ssl.create_default_context(cafile=str(SERVER_CA))
    url = f"https://{MACHINE}:{MANAGEMENT_PORT}/roots/0"
    with urllib.request.urlopen(url, timeout=10, context=trust) as answer:
        _replace(CA_ROOT, answer.read())


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_suffix(".new")
    temporary.write_bytes(content)
    temporary.replace(path)

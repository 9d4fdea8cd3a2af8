"""The lab's network on the machine: a bridge, a way out for package downloads, names.

The firewall rules are in one table of our own, so that removing it removes every trace;
whether the machine forwarded packets before is remembered.
"""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

from lab import forwarding, process, topology
from lab.paths import RUN

_TABLE = "vvlab"
_DNS = "dns"
_FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
_FORWARDING_BEFORE = RUN / "ip_forward.before"

_RULES_LOADED = RUN / "rules.loaded"

# Hosts of the lab speak to each other across the bridge and leave by NAT. Where the way out is
# narrower than the bridge (tunnels), TCP is told so: nobody else's ICMP can be relied on.
_RULES = f"""
table inet {_TABLE} {{
  chain forward {{
    type filter hook forward priority -10; policy accept;
    iifname "{topology.BRIDGE}" oifname != "{topology.BRIDGE}" tcp flags syn tcp option maxseg size set rt mtu
    iifname "{topology.BRIDGE}" accept
    oifname "{topology.BRIDGE}" ct state established,related accept
    oifname "{topology.BRIDGE}" iifname != "{topology.BRIDGE}" drop
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr {topology.NETWORK} oifname != "{topology.BRIDGE}" masquerade
  }}
}}
"""


def up() -> bool:
    """Bring bridge, rules and name service up; returns whether anything had to be done."""
    changes = [_bridge_up(), _forwarding_on(), _rules_up(), forwarding.allow(), _dns_up()]
    return any(changes)


def is_up() -> bool:
    """Whether bridge, forwarding, rules and name service are as they should be."""
    return (
        _bridge_is_up()
        and _FORWARDING.read_text().strip() == "1"
        and _rules_are_ours()
        and forwarding.allowed()
        and process.alive(_DNS)
        and _configuration().read_text() == dns_configuration()
    )


def exists() -> bool:
    """Whether anything of the network is on the machine."""
    return _bridge_exists() or bool(_table()) or process.alive(_DNS)


def down() -> None:
    """Take name service, rules, forwarding and bridge away again."""
    process.stop(_DNS)
    for path in (_configuration(), _RULES_LOADED):
        path.unlink(missing_ok=True)
    forwarding.forget()
    if _table():
        subprocess.run(["nft", "delete", "table", "inet", _TABLE], check=True)
    if _FORWARDING_BEFORE.exists():
        _FORWARDING.write_text(_FORWARDING_BEFORE.read_text())
        _FORWARDING_BEFORE.unlink()
    if _bridge_exists():
        subprocess.run(["ip", "link", "delete", topology.BRIDGE], check=True)


def _bridge_exists() -> bool:
    return Path(f"/sys/class/net/{topology.BRIDGE}").exists()


def _bridge_is_up() -> bool:
    return _bridge_exists() and topology.MACHINE in _output("ip", "-4", "address", "show", topology.BRIDGE)


def _bridge_up() -> bool:
    if _bridge_is_up():
        return False
    if not _bridge_exists():
        _output("ip", "link", "add", topology.BRIDGE, "type", "bridge", "forward_delay", "0")
    _output("ip", "address", "replace", f"{topology.MACHINE}/24", "dev", topology.BRIDGE)
    _output("ip", "link", "set", topology.BRIDGE, "up")
    return True


def _forwarding_on() -> bool:
    if _FORWARDING.read_text().strip() == "1":
        return False
    RUN.mkdir(parents=True, exist_ok=True)
    _FORWARDING_BEFORE.write_text(_FORWARDING.read_text())
    _FORWARDING.write_text("1")
    return True


def _rules_are_ours() -> bool:
    return bool(_table()) and _RULES_LOADED.exists() and _RULES_LOADED.read_text() == _RULES


def _rules_up() -> bool:
    if _rules_are_ours():
        return False
    # One transaction; the first line makes the delete valid when there is no table yet.
    script = f"table inet {_TABLE}\ndelete table inet {_TABLE}\n{_RULES}"
    subprocess.run(["nft", "-f", "-"], input=script, text=True, check=True)
    _RULES_LOADED.write_text(_RULES)
    return True


def _table() -> str:
    listed = subprocess.run(
        ["nft", "list", "table", "inet", _TABLE], capture_output=True, text=True, check=False
    )
    return listed.stdout


def _dns_up() -> bool:
    text = dns_configuration()
    path = _configuration()
    RUN.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return process.start(
        _DNS,
        ["dnsmasq", "--keep-in-foreground", "--log-facility=-", f"--conf-file={path}"],
        listens=(topology.MACHINE, 53),
        version=hashlib.sha256(text.encode()).hexdigest(),
    )


def dns_configuration() -> str:
    """dnsmasq's configuration: the lab's names here, every other name from the machine's resolvers."""
    domain = topology.DOMAIN
    names = [(topology.SITE_DOMAIN, topology.GATEWAY)]
    names += [(f"{name}.{domain}", topology.MACHINE) for name in ("pebble", "hub", "internet")]
    for host in topology.hosts():
        names += [(f"{host.name}.{domain}", host.address), (host.name, host.address)]
    return "\n".join(
        [
            f"listen-address={topology.MACHINE}", "bind-interfaces", "no-hosts", "no-resolv", "no-negcache",
            "user=root", f"pid-file={RUN / 'dnsmasq.pid.own'}", f"local=/{domain}/",
            *(f"host-record={name},{address}" for name, address in names),
            *(f"server={server}" for server in _resolvers()),
        ]
    ) + "\n"  # fmt: skip


def _configuration() -> Path:
    return RUN / "dnsmasq.conf"


def _resolvers() -> list[str]:
    lines = (line.split() for line in Path("/etc/resolv.conf").read_text().splitlines())
    return [words[1] for words in lines if len(words) > 1 and words[0] == "nameserver"]


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout

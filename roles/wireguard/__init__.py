"""wg0 between the gateway and its nodes; each host makes its own key, and only public ones travel."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from pyinfra import host, inventory, state
from pyinfra.api import FactBase, StringCommand, deploy, operation

from fleet import Gateway, Member, Site
from roles.wireguard import tunnel
from steps.packages import APT, packages
from steps.refusal import refuse
from steps.shell import Succeeds, run

KEY = "/etc/wireguard/wg0.key"
CONF = "/etc/wireguard/wg0.conf"
UNIT = "wg-quick@wg0.service"
# The host fills in its private key, without it ever being an argument; the file is nobody else's from its
# first byte on, and replaces the old one only if wg-quick can read it.
NEW = "/etc/wireguard/wg0new.conf"
FILL_IN = (
    f"umask 077; awk 'NR == FNR {{key = $0; next}} {{sub(\"{tunnel.KEY_HERE}\", key)}} 1' {KEY} - > {NEW} "
    f"&& wg-quick strip {NEW} > /dev/null && mv -f {NEW} {CONF}"
)
HANDSHAKE_S = 20

# Whether the kernel brings WireGuard; if not, wg-quick falls back to wireguard-go by itself.
IN_KERNEL = "ip link add wgprobe type wireguard && ip link del wgprobe"
IN_USERSPACE = "command -v wireguard-go"

_public_keys: dict[str, str] = {}


@deploy("WireGuard")
def wireguard(site: Site, member: Member) -> None:
    """Bring up the private network and see that it carries."""
    packages(name="Install WireGuard", packages=["wireguard-tools"])
    run(
        name="Install WireGuard without the kernel's help",
        commands=[f"{APT} install --no-install-recommends wireguard-go"],
        unless=f"{IN_USERSPACE} || [ -e /sys/class/net/wg0 ] || {{ {IN_KERNEL}; }}",
    )
    own_key(name="Have a key of its own")
    connect(name="Connect wg0", site=site, member=member)
    if not isinstance(member, Gateway):
        carries(name="Reach the gateway through wg0", site=site)


@dataclass(frozen=True)
class Tunnel:
    """What a host has: public key, wg0.conf without the private one, whether that is its own, wg0 up."""

    public_key: str
    conf: str
    own_key: bool
    up: bool


class TunnelFact(FactBase[Tunnel]):
    """The host's `Tunnel`. The private key is replaced on the host, before anything is printed."""

    def command(self) -> str:
        script = (
            f'echo "public $(wg pubkey 2>/dev/null < {KEY})"; '
            f"systemctl is-active --quiet {UNIT} && [ -e /sys/class/net/wg0 ] "
            f"&& systemctl is-enabled --quiet {UNIT} && echo 'up yes'; "
            f"sed -n 's/^PrivateKey = //p' {CONF} 2>/dev/null | cmp -s - {KEY} && echo 'own yes'; "
            f"sed 's/^PrivateKey = .*/PrivateKey = {tunnel.KEY_HERE}/; s/^/conf /' {CONF} 2>/dev/null; true"
        )
        return f"sh -c {shlex.quote(script)}"

    @staticmethod
    def default() -> Tunnel:
        return Tunnel("", "", False, False)

    def process(self, output: list[str]) -> Tunnel:
        # An empty line of the file arrives as "conf" or "conf ".
        conf = "".join(f"{line[5:]}\n" for line in output if line == "conf" or line.startswith("conf "))
        public = next((line[7:].strip() for line in output if line.startswith("public")), "")
        return Tunnel(public, conf, "own yes" in output, "up yes" in output)


@operation()
def own_key():
    """Make the private key where there is none, 0600 from its first byte; keep the public one in mind."""
    now = host.get_fact(TunnelFact)
    if not now.public_key:
        yield StringCommand(
            f"sh -c 'umask 077; mkdir -p /etc/wireguard; wg genkey > {KEY}.new && mv {KEY}.new {KEY}'"
        )
        if state.is_executing:
            now = host.get_fact(TunnelFact)
    else:
        host.noop("the host has a key")
    _public_keys[host.name] = now.public_key


@operation()
def connect(site: Site, member: Member):
    """Write wg0.conf and take it up: without touching the interface, unless its own address changed."""
    now = host.get_fact(TunnelFact)
    wanted = tunnel.config(site, member, _keys_of_peers(site, member, now.conf))
    same = now.conf == wanted and now.own_key
    if same and now.up:
        host.noop("wg0 is connected")
        return
    if not same:
        yield StringCommand("sh", "-c", shlex.quote(FILL_IN), _stdin=wanted)
    if not now.up or tunnel.needs_restart(now.conf, wanted):
        yield f"systemctl enable --quiet {UNIT} && systemctl restart {UNIT}"
    else:
        yield "sh -c 'wg-quick strip wg0 | wg syncconf wg0 /dev/stdin'"


def _keys_of_peers(site: Site, member: Member, conf: str) -> dict[str, str]:
    """Public keys by host: of this run, else as configured before, else asked for.

    A run limited to some hosts does not connect to the others for a key that is known.
    """
    keys = dict(tunnel.known_keys(conf))
    for other in tunnel.peers_of(site, member):
        if _public_keys.get(other):
            keys[other] = _public_keys[other]
        elif other not in keys and (peer := inventory.get_host(other)) is not None:
            keys[other] = peer.get_fact(TunnelFact).public_key
    return keys


@operation()
def carries(site: Site):
    """See that packets come back from the gateway; wait a little where the tunnel is new.

    The age of the last handshake says less: it outlives a changed key.
    """
    # Before it is up nothing can be seen; and waiting is no change.
    if not state.is_executing:
        return
    answers = f"ping -q -c 1 -W 1 {site.wg_address(site.gateway.host)}"
    wait = f"for try in $(seq {HANDSHAKE_S}); do {answers} && exit 0; sleep 0.2; done; exit 1"
    if not host.get_fact(Succeeds, test=wait):
        yield refuse(
            f"No answer through wg0 from {site.wg_endpoint} within {HANDSHAKE_S} s. Does UDP reach it from "
            "here? Look at the provider's firewall and at wg show wg0 on the gateway, or set "
            "wireguard.endpoint. A run limited to this host cannot tell the gateway its new key."
        )

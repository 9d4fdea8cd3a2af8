"""wg0 between the gateway and its nodes; each host makes its own key, and only public ones travel."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any

from pyinfra import host, inventory, logger, state
from pyinfra.api import FactBase, FunctionCommand, StringCommand, deploy, operation

from fleet import Gateway, Member, Site
from roles.wireguard import tunnel
from steps.packages import APT, packages
from steps.shell import run

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
# A handshake is renewed every two minutes while anything, keepalives included, passes.
FRESH_S = 180

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
        handshake(name="Shake hands with the gateway", site=site)


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


class HandshakeAge(FactBase[int | None]):
    """Seconds since the last handshake on wg0; None where there was none."""

    def command(self) -> str:
        return (
            "wg show wg0 latest-handshakes 2>/dev/null | "
            "awk -v now=$(date +%s) '$2 > 0 {print now - $2}' | sort -n | head -1"
        )

    def process(self, output: list[str]) -> int | None:
        return int(output[0]) if output else None


@operation()
def handshake(site: Site):
    """See that the tunnel to the gateway carries; wait a little where it is new."""
    age = host.get_fact(HandshakeAge)
    if age is not None and age < FRESH_S:
        host.noop(f"last handshake {age} s ago")
        return
    yield FunctionCommand(await_handshake, (), {"endpoint": site.wg_endpoint})


def await_handshake(state: Any, host: Any, endpoint: str) -> bool:
    """Wait for a handshake, in one command; False, with the way to the cause, if none comes."""
    fresh = f"'$2 > now - {FRESH_S} {{f = 1}} END {{exit !f}}'"
    age = f"wg show wg0 latest-handshakes | awk -v now=$(date +%s) {fresh}"
    wait = f"i=0; until {age}; do i=$((i+1)); [ $i -ge {HANDSHAKE_S * 2} ] && exit 1; sleep 0.5; done"
    succeeded = host.get_fact(_Awaited, script=wait)
    if not succeeded:
        message = (
            f"No WireGuard handshake with {endpoint} within {HANDSHAKE_S} s. Does UDP reach it from here? "
            f"On the gateway: wg show wg0, and the provider's firewall; else set wireguard.endpoint."
        )
        host.log_styled(message, fg="red", log_func=logger.error)
    return succeeded


class _Awaited(FactBase[bool]):
    def command(self, script: str) -> str:
        return f"if sh -c {shlex.quote(script)}; then echo yes; else echo no; fi"

    def process(self, output: list[str]) -> bool:
        return output == ["yes"]

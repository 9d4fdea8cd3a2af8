"""Read the host keys of a site, show them, keep them: python -m fleet.known_hosts INVENTORY

Fingerprints are to be compared with what the hosts' consoles or the provider say; whoever sits in the
middle now would sit there for good. A key that changed is refused without --replace.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from fleet import hostkeys, ssh_config
from fleet.hostkeys import HostKey
from fleet.inventory import load_or_exit
from fleet.mistakes import listed, near
from fleet.models import Member, Site

SECONDS = 10
KINDS = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa")


class NoKey(Exception):
    """A host did not show its key; the words are for the operator."""


def main() -> None:
    """Read every host's key and write the site's known_hosts; exit with 1 if one is missing or changed."""
    parser = argparse.ArgumentParser(prog="python -m fleet.known_hosts")
    parser.add_argument("inventory")
    parser.add_argument("--replace", action="store_true", help="accept keys that changed")
    arguments = parser.parse_args()
    site = load_or_exit(arguments.inventory, prepared=False)
    known = hostkeys.parse(site.known_hosts.read_text()) if site.known_hosts.exists() else []
    try:
        found = {member.host: keys for member, keys in scan(site)}
    except NoKey as error:
        sys.exit(str(error))
    _show(found)
    changed = [member.host for member in site.members if differs(known, member, found[member.host])]
    if changed and not arguments.replace:
        sys.exit(
            f"{near(site.known_hosts)}: the key of {listed(changed)} is not the one kept here. "
            "If the host was installed anew, add REPLACE=1 (--replace); if not, somebody may be in between."
        )
    site.known_hosts.write_text("".join(f"{key}\n" for keys in found.values() for key in keys))
    print(f"{near(site.known_hosts)} written. Compare the fingerprints before you deploy.")


def scan(site: Site) -> list[tuple[Member, list[HostKey]]]:
    """Every host with its keys, in the inventory's order. Raises NoKey.

    A host behind another is asked through that one, which must show the key it has just been seen with.
    """
    by_host = {member.host: member for member in site.members}
    chains = {member.host: ssh_config.hops(member, by_host) for member in site.members}
    found: list[tuple[Member, list[HostKey]]] = []
    for member in sorted(site.members, key=lambda member: len(chains[member.host])):
        through = chains[member.host]
        believed = [key for _, keys in found for key in keys]
        keys = _scan_through(site, member, through[-1], believed) if through else _scan(member)
        found.append((member, keys))
    return [(member, keys) for host in by_host for member, keys in found if member.host == host]


def differs(known: Sequence[HostKey], member: Member, found: Sequence[HostKey]) -> bool:
    """Whether a host is known, and shows none of the keys that it is known by."""
    old = {key.kind: key.blob for key in hostkeys.of(known, ssh_config.dial(member), member.ssh.port)}
    return bool(old) and not any(old.get(key.kind) == key.blob for key in found)


def _scan(member: Member) -> list[HostKey]:
    dial, port = ssh_config.dial(member), member.ssh.port
    argv = ["ssh-keyscan", "-T", str(SECONDS), "-p", str(port), "-t", "ed25519,ecdsa,rsa", dial]
    return _best(member, subprocess.run(argv, capture_output=True, text=True, check=False))


def _scan_through(site: Site, member: Member, hop: Member, believed: Sequence[HostKey]) -> list[HostKey]:
    """Ask with the hop's own ssh-keyscan, over a connection that believes only what was scanned before."""
    dial, port = ssh_config.dial(member), member.ssh.port
    with tempfile.TemporaryDirectory() as folder:
        known_hosts, config = Path(folder, "known_hosts"), Path(folder, "ssh_config")
        known_hosts.write_text("".join(f"{key}\n" for key in believed))
        config.write_text(ssh_config.render(site.members, known_hosts))
        remote = f"ssh-keyscan -T {SECONDS} -p {port} -t ed25519,ecdsa,rsa {dial}"
        argv = ["ssh", "-F", str(config), "-o", "BatchMode=yes", hop.host, remote]
        return _best(member, subprocess.run(argv, capture_output=True, text=True, check=False))


def _best(member: Member, answer: subprocess.CompletedProcess[str]) -> list[HostKey]:
    """One key a host, of the best kind it has: pyinfra's client asks for the kind it knows."""
    keys = {key.kind: key for key in hostkeys.parse(answer.stdout)}
    kind = next((kind for kind in KINDS if kind in keys), None)
    if kind is None:
        reason = next((line for line in reversed(answer.stderr.splitlines()) if line[:1] != "#"), "no answer")
        where = hostkeys.written(ssh_config.dial(member), member.ssh.port)
        raise NoKey(f"{member.host} ({where}) did not show a host key: {reason}. Is sshd reachable there?")
    found = keys[kind]
    return [HostKey(hostkeys.written(ssh_config.dial(member), member.ssh.port), found.kind, found.blob)]


def _show(found: dict[str, list[HostKey]]) -> None:
    table = Table("host", "kind", "fingerprint", box=None, pad_edge=False)
    for host, keys in found.items():
        for key in keys:
            table.add_row(host, key.kind, key.fingerprint)
    Console(soft_wrap=True).print(table)


if __name__ == "__main__":
    main()

"""The OpenSSH configuration of a site: how each host is reached, with which key, through whom, and whose
host keys are believed. pyinfra follows jump hosts only through such a file, and so do ssh, scp and tests.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from fleet import whole
from fleet.knobs import Ssh
from fleet.models import Member, Site

STANZA = """\
Host {names}
    HostName {dial}
    User {user}
{extra}    StrictHostKeyChecking yes
    UserKnownHostsFile {known_hosts}
    ConnectTimeout 10
    ServerAliveInterval 5
    ServerAliveCountMax 4
"""


def dial(member: Member) -> str:
    """The name or address that a connection to this host is opened to."""
    return member.ssh.address or member.host


def hops(member: Member, by_host: Mapping[str, Member]) -> list[Member]:
    """The hosts a connection goes through, the first to be dialled first. Stops at a loop."""
    chain: list[Member] = []
    jump = member.ssh.jump
    while jump and jump in by_host and by_host[jump] not in chain:
        chain.insert(0, by_host[jump])
        jump = by_host[jump].ssh.jump
    return chain


def render(members: Sequence[Member], known_hosts: Path) -> str:
    """The file's text for these hosts."""
    by_host = {member.host: member for member in members}
    chains = {member.host: hops(member, by_host) for member in members}
    jumped = {hop.host for chain in chains.values() for hop in chain}
    return "\n".join(
        _stanza(member, chains[member.host], member.host in jumped, known_hosts) for member in members
    )


def write(site: Site) -> Path:
    """Put the site's file into its state folder and return its path."""
    path = site.state_dir / "ssh_config"
    text = render(site.members, site.known_hosts.resolve())
    if not path.exists() or path.read_text() != text:
        whole.write(path, text)
    return path


def _stanza(member: Member, through: Sequence[Member], jumped: bool, known_hosts: Path) -> str:
    # A jump host is looked up by what ProxyJump says, its address.
    names = dict.fromkeys([member.host, dial(member)] if jumped else [member.host])
    return STANZA.format(
        names=" ".join(names),
        dial=dial(member),
        user=member.ssh.user,
        extra="".join(f"    {line}\n" for line in _extra(member.ssh, through)),
        known_hosts=known_hosts,
    )


def _extra(ssh: Ssh, through: Sequence[Member]) -> list[str]:
    lines: list[str] = []
    # Port 22 stays unsaid: for a jump host pyinfra would hand it on as text, and look for the host key
    # under [host]:22.
    if ssh.port != 22:
        lines.append(f"Port {ssh.port}")
    if ssh.key:
        lines += [f"IdentityFile {ssh.key.resolve()}", "IdentitiesOnly yes"]
    # Addresses, not names: between two hops pyinfra dials what is written here without looking it up.
    if through:
        lines.append(f"ProxyJump {','.join(map(dial, through))}")
    return lines

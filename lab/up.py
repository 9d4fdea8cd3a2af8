"""Bring the lab up: pyinfra -y @local lab/up.py. Run it as often as you like."""

from lab import base, hosts, lock, logins, network, topology
from lab.internet import internet
from lab.once import once
from steps.packages import packages

lock.hold()

packages(
    name="Lab: programs that make and boot hosts",
    packages=[
        "mmdebstrap", "systemd-container", "dnsmasq-base", "nftables", "iproute2", "openssh-client",
        "ca-certificates", "util-linux",
    ],
)  # fmt: skip

once(name="Lab: bridge, NAT and names", is_done=network.is_up, do=network.up)

for release in sorted({host.release for host in topology.hosts()}):
    once(
        name=f"Lab: bare {release}",
        is_done=lambda release=release: base.base(release).is_dir(),
        do=lambda release=release: base.build(release),
    )

once(name="Lab: keys and SSH configuration", is_done=hosts.ssh_is_written, do=hosts.write_ssh)
once(name="Lab: passwords of the projects", is_done=logins.complete, do=logins.write)
once(name="Lab: boot the hosts", is_done=hosts.all_up, do=hosts.boot_all)

internet()

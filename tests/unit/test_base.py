"""Settings of every host, checked by the programs that read them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from roles.base import came_by_key, in_force, is_jump_host, sshd
from steps.files import render
from steps.ssh import DEAD_AFTER_S
from tests.unit import real_programs
from tests.unit.examples import example_site
from tests.unit.real_programs import complaints

SITE = example_site()


@pytest.mark.parametrize(("hop", "keys"), [(True, True), (False, True), (True, False)])
def test_sshd_accepts_its_drop_in(hop: bool, keys: bool, tmp_path: Path) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    settings = tmp_path / "sshd_config"
    settings.write_text(sshd(hop, keys))
    # sshd wants its user and its folder, which only an installed one has: lent for this one process.
    passwd = tmp_path / "passwd"
    passwd.write_text(Path("/etc/passwd").read_text() + "sshd:x:65000:65534::/run/sshd:/usr/sbin/nologin\n")
    lend = f"mount --bind {passwd} /etc/passwd && mount -t tmpfs none /run && mkdir -m 755 /run/sshd"
    check = f"{lend} && {real_programs.sshd()} -t -f {settings} -h {key}"
    assert complaints(["unshare", "--mount", "sh", "-c", check]) == ""


def test_the_gateway_bears_every_host_behind_it_at_once() -> None:
    assert "MaxStartups 100:30:200" in sshd(is_jump_host(SITE, SITE.gateway), keys=True)
    assert "MaxStartups" not in sshd(is_jump_host(SITE, SITE.nodes[0]), keys=True)


def test_passwords_stay_where_the_deploy_came_in_with_one() -> None:
    assert not came_by_key({"ssh_password": "secret"})
    assert came_by_key({"ssh_key": "/home/ops/.ssh/id_ed25519"})
    assert "PasswordAuthentication" not in sshd(hop=False, keys=False)


def test_a_client_that_is_gone_holds_nothing_for_longer_than_a_minute() -> None:
    for keys in (True, False):
        settings = dict(
            line.split(" ", 1) for line in sshd(hop=False, keys=keys).splitlines() if line[0] != "#"
        )
        interval, count = int(settings["ClientAliveInterval"]), int(settings["ClientAliveCountMax"])
        # Longer than an operator's own run believes in a silent connection, or two could hold the lock.
        assert interval * count > DEAD_AFTER_S
        assert interval * (count + 1) <= 60


def test_apt_reads_its_settings(tmp_path: Path) -> None:
    settings = tmp_path / "apt.conf"
    settings.write_text(render("base/apt.conf"))
    assert complaints(["apt-config", "-c", settings, "dump"]) == ""


def test_a_container_gets_no_settings_of_its_hosts_kernel() -> None:
    assert "kernel." not in render("base/sysctl.conf", container=True)
    assert "kernel." in render("base/sysctl.conf", container=False)


@pytest.mark.parametrize(
    ("settings", "there"),
    [
        ("# A comment = 1\nnet.ipv4.ip_default_ttl = {ttl}\n", True),
        ("net.ipv4.ip_default_ttl = {ttl}1\n", False),
        ("net.ipv4.ip_default_ttl = {ttl}\nnet.ipv4.tcp_keepalive_time = 3\n", False),
        ("net.ipv4.tcp_rmem = {rmem}\n", True),
        # Of an older kernel nothing is asked that it does not have.
        ("net.ipv4.no_such_setting = 1\nnet.ipv4.ip_default_ttl = {ttl}\n", True),
    ],
)
def test_a_kernel_setting_changed_by_hand_is_seen(settings: str, there: bool) -> None:
    ttl = Path("/proc/sys/net/ipv4/ip_default_ttl").read_text().strip()
    rmem = " ".join(Path("/proc/sys/net/ipv4/tcp_rmem").read_text().split())
    test = subprocess.run(["sh", "-c", in_force(settings.format(ttl=ttl, rmem=rmem))], check=False)
    assert (test.returncode == 0) == there

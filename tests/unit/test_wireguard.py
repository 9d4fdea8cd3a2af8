"""wg0.conf: who talks to whom, and that wg-quick can read it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from roles.wireguard.tunnel import KEY_HERE, config, known_keys, needs_restart
from tests.unit.examples import example_site
from tests.unit.golden_files import same

SITE = example_site()
KEYS = {
    "gw.example.com": "Z3cAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "gpu-1.example.com": "Z3B1MQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "gpu-2.example.com": "Z3B1MgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
}
PRIVATE = "cHJpdmF0ZQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="


def test_the_files_are_the_golden_ones() -> None:
    assert same("wireguard/gateway.conf", config(SITE, SITE.gateway, KEYS))
    assert same("wireguard/node.conf", config(SITE, SITE.nodes[1], KEYS))


def test_wg_quick_reads_them(tmp_path: Path) -> None:
    for number, member in enumerate(SITE.members):
        path = tmp_path / f"wg{number}.conf"
        path.write_text(config(SITE, member, KEYS).replace(KEY_HERE, PRIVATE))
        path.chmod(0o600)
        done = subprocess.run(["wg-quick", "strip", str(path)], capture_output=True, text=True, check=True)
        assert f"PrivateKey = {PRIVATE}" in done.stdout
        assert "Address" not in done.stdout


def test_a_node_knows_the_gateway_alone() -> None:
    assert set(known_keys(config(SITE, SITE.nodes[0], KEYS))) == {"gw.example.com"}


def test_keys_are_found_again_in_what_was_written() -> None:
    found = known_keys(config(SITE, SITE.gateway, KEYS))
    assert found == {host: key for host, key in KEYS.items() if host != "gw.example.com"}


def test_a_peer_without_a_key_is_left_out_until_it_has_one() -> None:
    text = config(SITE, SITE.gateway, {"gpu-1.example.com": KEYS["gpu-1.example.com"]})
    assert "gpu-2" not in text


def test_a_new_peer_does_not_restart_the_interface() -> None:
    before = config(SITE, SITE.gateway, {"gpu-1.example.com": KEYS["gpu-1.example.com"]})
    assert not needs_restart(before, config(SITE, SITE.gateway, KEYS))


def test_a_new_address_does() -> None:
    moved = example_site(wireguard={"network": "10.99.0.0/24"})
    assert needs_restart(config(SITE, SITE.gateway, KEYS), config(moved, moved.gateway, KEYS))

"""A host's key is learnt once; another one is somebody else until the operator says otherwise."""

from __future__ import annotations

from fleet import Gateway, Ssh
from fleet.hostkeys import HostKey, parse
from fleet.known_hosts import differs

OLD, NEW = "AAAAC3NzaC1lZDI1NTE5AAAAIAold", "AAAAC3NzaC1lZDI1NTE5AAAAIAnew"
GATEWAY = Gateway(host="gw.example.com", ssh=Ssh(address="192.0.2.10"))


def key(blob: str, kind: str = "ssh-ed25519") -> HostKey:
    return HostKey("192.0.2.10", kind, blob)


def test_a_host_seen_for_the_first_time_is_no_change() -> None:
    assert not differs([], GATEWAY, [key(NEW)])


def test_the_same_key_is_no_change() -> None:
    assert not differs([key(OLD)], GATEWAY, [key(OLD)])


def test_another_key_is_a_change() -> None:
    assert differs([key(OLD)], GATEWAY, [key(NEW)])


def test_a_key_of_another_kind_is_a_change_too() -> None:
    """Whoever cannot show the known key may well offer a fresh one of another kind."""
    assert differs([key(OLD, "ssh-rsa")], GATEWAY, [key(NEW)])


def test_a_host_that_moved_to_another_port_is_another_entry() -> None:
    moved = Gateway(host="gw.example.com", ssh=Ssh(address="192.0.2.10", port=2222))
    assert not differs([key(OLD)], moved, [key(NEW)])


def test_comments_and_marked_lines_are_no_keys() -> None:
    assert parse(f"# a comment\n\n@revoked * ssh-ed25519 {OLD}\nbroken line\n") == []

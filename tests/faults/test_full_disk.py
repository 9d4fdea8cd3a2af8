"""A disk without room is found before anything is changed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.box.deploy import Deploy
from tests.box.fixtures import Hosts

VICTIM = "gpu-2"


@pytest.fixture
def no_room(hosts: Hosts) -> Iterator[None]:
    """A small disk in the place where weights and jobs go, full but for a few megabytes."""
    host = hosts[VICTIM]
    host.check_output("mount -t tmpfs -o size=64m tmpfs /srv && fallocate -l 60M /srv/filler")
    yield
    host.check_output("umount /srv")


@pytest.mark.usefixtures("no_room")
def test_a_full_disk_is_told_before_the_first_change() -> None:
    run = Deploy("-y", log="full-disk").wait(60)
    assert run.code == 1, run.tail
    assert "GiB free on /srv" in run.text
    assert VICTIM in run.text
    assert all(name.startswith("Preflight") for name, _, _ in run.operations()), run.tail

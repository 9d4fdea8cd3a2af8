"""The rendered walls, checked by nft itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet import Member
from roles.firewall.rules import public_tcp, rules
from tests.unit.examples import example_site
from tests.unit.golden_files import same
from tests.unit.real_programs import complaints

SITE = example_site()
MEMBERS = {"gateway": SITE.gateway, "node": SITE.nodes[0]}


@pytest.mark.parametrize(("name", "member"), MEMBERS.items())
def test_the_rules_are_the_golden_ones(name: str, member: Member) -> None:
    assert same(f"firewall/{name}.nft", rules(SITE, member))


@pytest.mark.parametrize("member", MEMBERS.values())
def test_nft_accepts_the_rules(member: Member, tmp_path: Path) -> None:
    path = tmp_path / "firewall.nft"
    path.write_text(rules(SITE, member))
    assert complaints(["nft", "-c", "-f", path]) == ""


def test_a_node_opens_nothing_but_ssh() -> None:
    assert public_tcp(SITE, SITE.nodes[0]) == (22,)


def test_ssh_stays_open_on_its_own_port() -> None:
    site = example_site(gateway={"host": "gw.example.com", "ssh": {"port": 2222}})
    assert 2222 in public_tcp(site, site.gateway)
    assert 22 not in public_tcp(site, site.gateway)


def test_further_ports_open_on_every_host() -> None:
    site = example_site(firewall={"extra_tcp": [9100]})
    assert all(9100 in public_tcp(site, member) for member in site.members)


def test_the_rules_never_touch_a_table_that_is_not_theirs() -> None:
    text = rules(SITE, SITE.gateway)
    lines = [line.strip() for line in text.splitlines() if not line.strip().startswith("#")]
    assert "flush ruleset" not in "\n".join(lines)
    tables = {line.split("table ")[1].rstrip(" {") for line in lines if "table " in line}
    assert tables == {"inet vibevoice"}

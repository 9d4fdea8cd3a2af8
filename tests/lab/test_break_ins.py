"""The table of break-in tries, through the lab's real gateway."""

from __future__ import annotations

import pytest

from tests.box.break_ins.judge import Control, Try, complaints, shortcomings
from tests.box.break_ins.table import CONTROLS, TRIES
from tests.box.break_ins.world import SQL, World
from tests.box.fixtures import Hosts
from tests.box.lab import Lab
from tests.box.raw import Place

DOOR = "vv-door-a"
# Six of the tries are wrong passwords: whatever failed from here before must not be counted with them.
FORGIVE = """
import os, sqlite3
with sqlite3.connect(os.path.join(os.environ["DOOR_DATA"], "attempts.db"), timeout=10) as db:
    db.execute("DELETE FROM buckets")
"""


@pytest.fixture(scope="module")
def world(lab: Lab, hosts: Hosts) -> World:
    def door(*arguments: str) -> str:
        words = " ".join("%s" for _ in arguments)
        return hosts["gateway"].check_output(f"docker exec %s python -m door {words}", DOOR, *arguments)

    def sql(statement: str) -> None:
        hosts["gateway"].check_output("docker exec %s python -c %s %s", DOOR, SQL, statement)

    hosts["gateway"].check_output("docker exec %s python -c %s", DOOR, FORGIVE)
    return World(
        place=Place(lab.gateway_ip, 443, lab.domain, lab.ca_root),
        passwords={name: lab.users[name] for name in ("li", "bo")},
        door=door,
        sql=sql,
    )


@pytest.mark.parametrize("one", CONTROLS, ids=str)
def test_an_honest_request_gets_what_it_asks_for(one: Control, world: World) -> None:
    assert shortcomings(one, one.act(world), world) == []


@pytest.mark.parametrize("one", TRIES, ids=str)
def test_a_break_in_is_refused(one: Try, world: World) -> None:
    exchange = one.act(world)
    assert complaints(one, exchange) == []
    if one.effect:
        one.effect(world, exchange)

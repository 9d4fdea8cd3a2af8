"""People come by invitation and go with the inventory, and what they had goes with them at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.box.deploy import Deploy, Run, deploy
from tests.box.fixtures import Hosts
from tests.box.lab import Lab
from tests.box.people import Visitor

INVENTORY = '''"""The lab's site, and somebody more who may open podcast."""

from fleet import site
from lab.site import lab_site

_site = lab_site()
_site["projects"][0]["users"] += ["dee"]
gateway, gpu = site(__file__, _site)
'''
PASSWORD = "a password of dee's own"
LIVE = "/vibevoice/podcast/health/live"


@pytest.fixture(scope="module")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Dee is declared, without a password; the lab's own inventory is deployed again at the end."""
    file = tmp_path_factory.mktemp("inventory") / "lab.py"
    file.write_text(INVENTORY)
    deploy("-y", "--limit", "gateway", inventory=file, log="people")
    yield file
    deploy("-y", "--limit", "gateway", log="people-back")


def _user(inventory: Path, *words: str) -> Run:
    data = [option for word in words for option in ("--data", word)]
    return Deploy("-y", *data, inventory=inventory, operations="ops/user.py", log="user").wait()


@pytest.fixture(scope="module")
def dee(lab: Lab, inventory: Path) -> Iterator[Visitor]:
    """Dee, who has come by the invitation's link."""
    run = _user(inventory, "user=dee")
    assert run.code == 0, run.tail
    found = re.search(rf"https://{lab.domain}(/vibevoice/door/invite/\S+)", run.stdout)
    assert found, run.stdout
    with Visitor(lab) as visitor:
        answer = visitor.submit(found[1], password=PASSWORD, again=PASSWORD)
        assert answer.status_code == 303, answer.text[:500]
        assert visitor.get(LIVE).status_code == 200
        # It worked once.
        with Visitor(lab) as another:
            assert 'type="password"' not in another.get(found[1]).text
        yield visitor


def test_an_invitation_lets_somebody_set_a_password_and_in(dee: Visitor, lab: Lab) -> None:
    with Visitor(lab) as at_home:
        assert at_home.log_in("dee", PASSWORD).status_code == 303
        assert at_home.get(LIVE).status_code == 200


def test_nobody_is_invited_whose_password_the_operator_keeps(inventory: Path) -> None:
    run = _user(inventory, "user=li")
    assert run.code == 1
    assert "li's password is set in" in run.text


def test_a_stranger_is_not_invited(inventory: Path) -> None:
    run = _user(inventory, "user=del")
    assert run.code == 1
    assert "has no user del. There are: li, ana, dee, bo." in run.text


def test_everybody_is_listed(dee: Visitor, inventory: Path) -> None:
    run = _user(inventory)
    assert run.code == 0, run.tail
    rows = {line.split()[0]: line for line in run.stdout.splitlines() if line.strip()}
    assert {"ana", "bo", "dee", "li"} <= rows.keys()
    assert "podcast" in rows["dee"] and "debate" not in rows["dee"]


def test_sessions_and_keys_end_on_the_operators_word(dee: Visitor, lab: Lab, inventory: Path) -> None:
    key = {"Authorization": f"Bearer {dee.make_key('podcast')}"}
    with Visitor(lab) as program:
        assert program.get(LIVE, headers=key).status_code == 200
        run = _user(inventory, "user=dee", "do=end")
        assert run.code == 0, run.tail
        assert program.get(LIVE, headers=key).status_code == 401
    assert dee.get(LIVE).status_code == 303
    # The password stays.
    assert dee.log_in("dee", PASSWORD).status_code == 303


def test_whoever_leaves_the_inventory_is_out_at_once(
    dee: Visitor, lab: Lab, hosts: Hosts, inventory: Path
) -> None:
    assert dee.get(LIVE).status_code == 200
    doors = hosts["gateway"].check_output("docker ps --quiet --filter name=vv-door")
    deploy("-y", "--limit", "gateway", log="people-without")
    assert dee.get(LIVE).status_code == 303
    # And coming back revives neither session nor password.
    deploy("-y", "--limit", "gateway", inventory=inventory, log="people-again")
    assert dee.get(LIVE).status_code == 303
    with Visitor(lab) as visitor:
        assert visitor.log_in("dee", PASSWORD).status_code == 401
    assert hosts["gateway"].check_output("docker ps --quiet --filter name=vv-door") == doors


def test_a_changed_password_ends_sessions(lab: Lab, inventory: Path) -> None:
    with Visitor(lab) as bo:
        bo.log_in("bo", lab.users["bo"])
        assert bo.get("/vibevoice/debate/health/live").status_code == 200
        changed = {"VV_SECRET_USERS_BO": "quite another password"}
        deploy("-y", "--limit", "gateway", inventory=inventory, log="people-changed", env=changed)
        assert bo.get("/vibevoice/debate/health/live").status_code == 303
        assert bo.log_in("bo", "quite another password").status_code == 303
        deploy("-y", "--limit", "gateway", inventory=inventory, log="people-changed-back")
        assert bo.get("/vibevoice/debate/health/live").status_code == 303

"""Deploys while people are at work: nobody notices, whatever is changed, and also where one is cut off."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.box.containers import ids, studios
from tests.box.deploy import Deploy, deploy
from tests.box.fixtures import Hosts
from tests.faults.table import Fault
from tests.faults.under_load import UnderLoad

pytestmark = [pytest.mark.fault, pytest.mark.usefixtures("declared")]

CHANGED = '''"""The lab's site with another {section}."""

from fleet import site
from lab.site import lab_site

_site = lab_site()
_site["{section}"] = {{**_site.get("{section}", {{}}), **{knobs!r}}}
gateway, gpu = site(__file__, _site)
'''

ROLLING = Fault("rolling update of studios", unnoticed=True)
UNCHANGED = Fault("unchanged deploy", unnoticed=True)
GATEWAY = Fault("gateway configuration change", unnoticed=True)
CUT_OFF = Fault("kill pyinfra in the middle of a deploy", unnoticed=True)
TWO = Fault("two deploys at once", unnoticed=True)

STUDIOS_TURN = "Studios | Run one studio"
# A second or two into the exchange of the first studio.
MIDDLE_S = 4.0


@pytest.fixture
def changed(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """An inventory with other knobs; the lab's own is deployed again at the end."""
    section, knobs = request.param
    inventory = tmp_path / "lab.py"
    inventory.write_text(CHANGED.format(section=section, knobs=knobs))
    yield inventory
    deploy("-y", log="fault-deploy-back")


def _all(hosts: Hosts) -> dict[str, str]:
    return ids(hosts["gpu-1"]) | ids(hosts["gpu-2"])


@pytest.mark.always
@pytest.mark.parametrize("changed", [("studio", {"stop_grace_s": 11})], indirect=True, ids=["grace"])
def test_a_rolling_update_of_all_studios_is_noticed_by_nobody(
    site: UnderLoad, hosts: Hosts, changed: Path
) -> None:
    before = _all(hosts)
    with site.during(ROLLING):
        deploy("-y", inventory=changed, log="fault-rolling")
    after = _all(hosts)
    assert len(after) == len(before) == 3
    assert not set(after.values()) & set(before.values())


def test_an_unchanged_deploy_is_noticed_by_nobody(site: UnderLoad, hosts: Hosts) -> None:
    before = _all(hosts)
    with site.during(UNCHANGED):
        run = deploy("-y", "--json", log="fault-unchanged")
    assert run.changes == {}
    assert _all(hosts) == before


@pytest.mark.parametrize(
    "changed", [("traefik", {"hsts_s": 86400, "health_interval_s": 2})], indirect=True, ids=["traefik"]
)
def test_a_changed_gateway_configuration_is_noticed_by_nobody(
    site: UnderLoad, hosts: Hosts, changed: Path
) -> None:
    """Both files that Traefik reads while it runs change, and change back."""
    traefik = "docker inspect -f '{{.State.StartedAt}}' vv-traefik"
    files = "cd /etc/vibevoice/traefik/dynamic && sha256sum site.yml routes.yml"
    started, before = hosts["gateway"].check_output(traefik), hosts["gateway"].check_output(files)
    with site.during(GATEWAY):
        deploy("-y", "--limit", "gateway", inventory=changed, log="fault-gateway")
        other = hosts["gateway"].check_output(files)
        deploy("-y", "--limit", "gateway", log="fault-gateway-back")
    assert not set(other.splitlines()) & set(before.splitlines())
    assert hosts["gateway"].check_output(files) == before
    assert hosts["gateway"].check_output(traefik) == started


@pytest.mark.parametrize("changed", [("studio", {"stop_grace_s": 13})], indirect=True, ids=["grace"])
def test_a_deploy_that_is_killed_in_the_middle_leaves_the_site_serving(
    site: UnderLoad, hosts: Hosts, changed: Path
) -> None:
    """The operator's machine dies while a studio is exchanged; the next run ends what it began."""
    with site.during(CUT_OFF):
        run = Deploy("-y", inventory=changed, log="fault-cut-off")
        run.wait_for(lambda text: STUDIOS_TURN in text)
        time.sleep(MIDDLE_S)
        run.stop()
    deploy("-y", inventory=changed, log="fault-cut-off-next")
    running = [*studios(hosts["gpu-1"]), *studios(hosts["gpu-2"])]
    assert sorted((one.project, one.slot) for one in running) == [
        ("debate", 0),
        ("podcast", 0),
        ("podcast", 1),
    ]
    assert all(one.running for one in running)


def test_of_two_deploys_at_once_one_is_told_of_the_other(site: UnderLoad, hosts: Hosts) -> None:
    before = _all(hosts)
    with site.during(TWO):
        first = Deploy("-y", log="fault-first")
        second = Deploy("-y", log="fault-second")
        runs = [first.wait(), second.wait()]
    assert sorted(run.code for run in runs) == [0, 1], "\n".join(run.tail for run in runs)
    holder, refused = (first, runs[1]) if runs[0].code == 0 else (second, runs[0])
    assert f"(process {holder.pid})" in refused.text, refused.tail
    assert _all(hosts) == before

"""A newer driver and a newer Docker are published, and the site moves to them while people work."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from testinfra.host import Host

from tests.box.containers import studios
from tests.box.deploy import Deploy, Run, deploy
from tests.box.fixtures import Hosts, Logins
from tests.box.jobs import Jobs, as_undisturbed, complete, talk
from tests.box.lab import Lab, command
from tests.box.web import answers, session
from tests.faults.table import Fault
from tests.faults.under_load import UnderLoad

pytestmark = pytest.mark.fault

DOCKER_UPGRADE = Fault("upgrade of dockerd", unnoticed=True)
BRANCH = Fault("another branch of the driver, with a reboot", back_within_s=240)
NODE, PROJECT, OTHER = "gpu-2", "debate", "podcast"
DRIVER, DOCKER = "580.190.01", "26.1.6"
PACKAGES = (
    "docker-ce", "docker-ce-cli", "nvidia-driver-cuda", "nvidia-kernel-open-dkms", "nvidia-persistenced",
    "libnvidia-ml1",
)  # fmt: skip
HELD = set(PACKAGES) - {"libnvidia-ml1"}
# Long enough to be under way while the package is installed, in more than one segment.
SCRIPT = talk(60)
SEED = 7
MARK = "/srv/vibevoice/drained"

OTHER_BRANCH = '''"""The lab's site with the driver's next branch."""

from fleet import site
from lab.site import lab_site

_site = lab_site()
_site["nvidia"] |= {"branch": 595}
gateway, gpu = site(__file__, _site)
'''


@pytest.fixture(scope="module")
def published(hosts: Hosts, lab: Lab, logins: Logins) -> Iterator[Host]:
    """The node whose repositories offer newer versions; at the end it has those of before."""
    node = hosts[NODE]
    before = {name: _version(node, name) for name in PACKAGES}
    command("publish", f"driver={DRIVER}", f"docker={DOCKER}")
    yield node
    command("withdraw")
    node.check_output(f"rm -f {MARK}; dpkg --configure -a; apt-get -q update")
    # A deploy goes back to its own branch, but within it never to an older version.
    branch = _version(node, "nvidia-driver-cuda").partition(".")[0]
    back = [name for name in PACKAGES if "nvidia" not in name or before[name].startswith(f"{branch}.")]
    wanted = " ".join(f"{name}={before[name]}" for name in back)
    options = "-q -y --allow-downgrades --allow-change-held-packages --no-install-recommends"
    node.check_output(f"DEBIAN_FRONTEND=noninteractive apt-get {options} install {wanted}")
    node.check_output(f"apt-mark hold {' '.join(sorted(HELD))}")
    if "nvidia-driver-cuda" in back:
        command("reboot", NODE)
    deploy("-y", log="upgrade-back")
    assert {name: _version(node, name) for name in PACKAGES} == before
    with session(lab.domain, lab.gateway_ip, lab.ca_root) as web:
        answers(web, f"{logins[PROJECT].url}health/ready", logins[PROJECT].auth, 60)


@pytest.fixture(scope="module")
def undisturbed(lab: Lab, logins: Logins) -> bytes:
    with Jobs(lab, logins[PROJECT]) as jobs:
        id = jobs.submit(SCRIPT, seed=SEED)
        jobs.done(id)
        sound = complete(jobs, id)
        jobs.delete(id)
    return sound


def _version(node: Host, package: str) -> str:
    return node.check_output("dpkg-query -W -f '${Version}' %s", package)


def _started(node: Host) -> dict[str, str]:
    """`{studio: when it started}`."""
    return {
        studio.name: node.check_output("docker inspect -f '{{.State.StartedAt}}' %s", studio.name)
        for studio in studios(node)
    }


@contextmanager
def _visits(lab: Lab, url: str, auth: tuple[str, str]) -> Iterator[list[int]]:
    """Somebody asks 20 times a second, and never twice; the statuses, 0 for no answer."""
    statuses: list[int] = []
    over = threading.Event()

    def visit() -> None:
        with session(lab.domain, lab.gateway_ip, lab.ca_root) as web:
            while not over.wait(0.05):
                try:
                    statuses.append(web.get(url, auth=auth, timeout=10).status_code)
                except OSError:
                    statuses.append(0)

    thread = threading.Thread(target=visit)
    thread.start()
    try:
        yield statuses
    finally:
        over.set()
        thread.join(20)


def _upgrade(*arguments: str, log: str) -> Run:
    return Deploy("-y", *arguments, operations="ops/upgrade.py", log=log).wait()


def test_a_newer_docker_is_noticed_by_nobody(published: Host, site: UnderLoad) -> None:
    """As unattended upgrades or a hurried administrator would do it, without draining anything."""
    started = _started(published)
    daemon = published.check_output("systemctl show -p MainPID --value docker.service")
    published.check_output("apt-get -q update")
    with site.during(DOCKER_UPGRADE) as course:
        options = "-q -y --allow-change-held-packages"
        install = f"DEBIAN_FRONTEND=noninteractive apt-get {options} install docker-ce docker-ce-cli"
        course.does(published, install)
        time.sleep(2)
    published.check_output("apt-mark hold docker-ce docker-ce-cli")
    assert DOCKER in _version(published, "docker-ce")
    assert published.check_output("systemctl show -p MainPID --value docker.service") != daemon
    assert _started(published) == started


def test_what_apt_cannot_do_is_refused_before_anything_is_drained(published: Host) -> None:
    started = _started(published)
    published.check_output("mv /etc/apt/sources.list.d/vibevoice-nvidia.sources /root/")
    published.check_output(
        "sed 's,/nvidia/,/nowhere/,' /root/vibevoice-nvidia.sources "
        "> /etc/apt/sources.list.d/vibevoice-nvidia.sources"
    )
    try:
        run = _upgrade("--limit", NODE, "--data", "what=driver", log="upgrade-refused")
    finally:
        # apt has forgotten the lists of the address that was not there.
        published.check_output(
            "mv -f /root/vibevoice-nvidia.sources /etc/apt/sources.list.d/ && apt-get -q update"
        )
    assert run.code == 1
    assert "apt cannot do it" in run.text
    assert _started(published) == started
    assert published.run("test -e %s", MARK).rc != 0


@dataclass(frozen=True)
class UnderWay:
    """A job in the middle when its node's upgrade began, which failed: id, seconds spoken, that run."""

    job: str
    spoken_s: float
    failed: Run
    boot: str
    statuses: list[int]


@pytest.fixture(scope="module")
def under_way(published: Host, lab: Lab, logins: Logins, undisturbed: bytes) -> UnderWay:
    other = logins[OTHER]
    boot = published.check_output("cat /proc/sys/kernel/random/boot_id")
    with Jobs(lab, logins[PROJECT]) as jobs:
        id = jobs.submit(SCRIPT, seed=SEED)
        spoken = jobs.speaking(id, 1.0)["progress"]["audio_s"]
    with _no_depmod(published), _visits(lab, f"{other.url}health/ready", other.auth) as statuses:
        run = _upgrade("--limit", NODE, "--data", "what=driver", log="upgrade-fails")
    return UnderWay(id, spoken, run, boot, statuses)


@contextmanager
def _no_depmod(node: Host) -> Iterator[None]:
    """The driver's package cannot be configured, as one whose module cannot be built."""
    program = "/usr/sbin/depmod"
    node.check_output(f"mv {program} {program}.away && printf '#!/bin/sh\\nexit 7\\n' > {program}")
    node.check_output(f"chmod 755 {program}")
    try:
        yield
    finally:
        node.check_output(f"mv -f {program}.away {program}")


def test_a_node_whose_upgrade_fails_stays_drained_with_the_reason(
    published: Host, under_way: UnderWay
) -> None:
    assert under_way.failed.code == 1
    assert f"ops/upgrade.py --limit {NODE} --data what=driver" in under_way.failed.text
    assert "upgrade of driver failed" in published.check_output("cat %s", MARK)
    assert not any(studio.running for studio in studios(published))
    assert set(under_way.statuses) == {200}


def test_half_installed_packages_are_refused_with_the_way_out(published: Host, under_way: UnderWay) -> None:
    run = _upgrade("--limit", NODE, "--data", "what=driver", log="upgrade-half")
    assert run.code == 1
    assert "dpkg --configure -a" in run.text


def test_the_upgrade_goes_on_with_a_reboot_and_costs_no_job(
    published: Host, under_way: UnderWay, lab: Lab, logins: Logins, undisturbed: bytes
) -> None:
    published.check_output("dpkg --configure -a")
    other = logins[OTHER]
    with _visits(lab, f"{other.url}health/ready", other.auth) as statuses:
        run = _upgrade("--limit", NODE, "--data", "what=driver", log="upgrade-goes-on")
    assert run.code == 0, run.tail
    assert "Rebooting" in run.text
    # The rest of the site has noticed nothing, and this node's project answers as the run ends.
    assert set(statuses) == {200}
    with Jobs(lab, logins[PROJECT]) as jobs:
        assert jobs.ask("GET", "health/ready").status_code == 200
        jobs.done(under_way.job)
        as_undisturbed(complete(jobs, under_way.job), undisturbed, under_way.spoken_s)
        jobs.delete(under_way.job)
    assert published.check_output("cat /proc/sys/kernel/random/boot_id") != under_way.boot
    loaded = "nvidia-smi --query-gpu=driver_version --format=csv,noheader"
    assert published.check_output(loaded) == DRIVER
    assert set(published.check_output("apt-mark showhold").split()) >= HELD
    assert published.run("test -e %s", MARK).rc != 0


def test_an_upgraded_site_has_nothing_to_upgrade(published: Host) -> None:
    started = _started(published)
    run = _upgrade("--limit", NODE, "--data", "what=driver,docker", log="upgrade-nothing")
    assert run.code == 0, run.tail
    assert "has nothing to upgrade" in run.text
    assert _started(published) == started


def _drained(node: Host) -> int:
    """How often the node's studio has handed its jobs over and ended."""
    (studio,) = studios(node)
    return node.check_output("docker logs %s 2>&1", studio.name).count('"message": "Drained"')


def test_a_deploy_that_has_to_reboot_saves_the_jobs_first(
    published: Host, site: UnderLoad, tmp_path: Path
) -> None:
    inventory = tmp_path / "lab.py"
    inventory.write_text(OTHER_BRANCH)
    before = _drained(published)
    with site.during(BRANCH):
        run = deploy("-y", "--limit", NODE, inventory=inventory, log="deploy-reboots")
    assert "Rebooting" in run.text
    assert _drained(published) == before + 1
    assert published.run("test -e /srv/vibevoice/start-at-boot").rc != 0

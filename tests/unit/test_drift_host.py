"""Files, units, packages, walls, ports, settings and people, on what hosts of a deployed site said."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet import Site
from fleet.knobs import Operators
from roles.drift import files, network, packages, people, units
from roles.drift.declared import Declared
from roles.drift.question import words
from roles.nvidia.condition import read as condition
from roles.nvidia.plan import Plan
from steps.files import Directory, File
from steps.packages import PackageStates
from steps.units import properties as unit_properties
from tests.unit.drift_answers import parts
from tests.unit.examples import example_site

HOST = "gpu-1"


def declared(**changes: object) -> Declared:
    nothing = Declared((), (), (), (), "", (), (), ())
    return replace(nothing, **changes)  # type: ignore[arg-type]


@pytest.fixture
def site() -> Site:
    project = {"name": "podcast", "node": HOST, "gpus": 2, "model": "tiny", "users": ["ana", "li"]}
    other = {"name": "debate", "node": "gpu-2", "gpus": 1, "model": "tiny", "users": ["ana", "bo"]}
    ops = {"user": "ops"}
    return example_site(
        gateway={"host": "gateway", "address": "10.77.0.10"},
        nodes=[
            {"host": HOST, "gpus": 2, "gpu_memory": "49140MiB"},
            {"host": "gpu-2", "gpus": 1, "gpu_memory": "49140MiB", "ssh": ops},
        ],
        projects=[project, other],
    )


# --- files --------------------------------------------------------------------------------------------------

FILE = File("/etc/x", "one\n")
FOLDER = Directory("/srv/x", "750")


@pytest.mark.parametrize(
    ("state", "found", "wanted"),
    [
        (None, "absent", "present"),
        (FILE.state.replace(" 644 ", " 666 "), "mode 666", "mode 644"),
        (FILE.state.replace("root root", "ops root"), "owner ops:root", "owner root:root"),
        (File("/etc/x", "two\n").state, "content 27dd8ed4", "content 2c8b08da"),
        ("/tmp/a name with blanks 777 root root", "a link to /tmp/a name with blanks", "content 2c8b08da"),
        ("dir 755 root root", "a folder", "content 2c8b08da"),
    ],
)
def test_what_differs_of_a_file_is_said_without_its_content(
    state: str | None, found: str, wanted: str
) -> None:
    states = {} if state is None else {"/etc/x": state}
    rows = files.findings(HOST, declared(files=(FILE,)), states)
    assert (found, wanted) in [(row.found, row.wanted) for row in rows]
    assert {(row.kind, row.what) for row in rows} == {("configuration file", "/etc/x")}


def test_files_and_folders_as_placed_are_no_finding() -> None:
    states = {"/etc/x": FILE.state, "/srv/x": FOLDER.state, "/etc/key": "0 644 root root"}
    wanted = declared(files=(FILE,), folders=(FOLDER,), present=("/etc/key",))
    assert files.findings(HOST, wanted, states) == []
    del states["/etc/key"]
    assert [row.what for row in files.findings(HOST, wanted, states)] == ["/etc/key"]


def test_traefiks_folder_holds_nothing_that_nobody_placed() -> None:
    lines = parts(HOST)["watched"]
    own = [File(path, "") for word in ("routes", "file") for path in words(lines, word)]
    assert len(own) == 2, lines
    wanted = declared(watched=tuple(own))
    assert files.watched(HOST, wanted, lines) == []
    assert [(row.kind, row.what) for row in files.watched(HOST, wanted, [*lines, "routes /d/a.yml"])] == [
        ("route", "/d/a.yml")
    ]
    assert [row.kind for row in files.watched(HOST, wanted, [*lines, "file /d/a.yml"])] == [
        "configuration file"
    ]


# --- units --------------------------------------------------------------------------------------------------

DROP_IN = "/etc/systemd/system/docker.service.d/vibevoice.conf"
RUNNING = (
    "docker.service",
    "vibevoice-firewall.service",
    "wg-quick@wg0.service",
    "nvidia-persistenced.service",
)
ENABLED = ("vibevoice-docker-heal.service", "nvidia-cdi-refresh.path")
PLACED = (
    DROP_IN,
    "/etc/systemd/system/nvidia-cdi-refresh.service.d/vibevoice.conf",
    "/etc/systemd/system/vibevoice-docker-heal.service",
    "/etc/systemd/system/vibevoice-firewall.service",
)
UNITS = declared(running=RUNNING, enabled=ENABLED, files=tuple(File(path, "") for path in PLACED))


def unit_rows(unit: str = "", drop_ins: tuple[str, ...] = (), **properties: Any) -> list[tuple[str, str]]:
    states = unit_properties(parts(HOST)["units"])
    if unit:
        states[unit] = {**states[unit], **properties}
    rows = units.findings(HOST, UNITS, states, [*parts(HOST)["drop-ins"], *drop_ins])
    assert {row.kind for row in rows} <= {"unit"}
    return [(row.what, row.found) for row in rows]


def test_units_of_a_deployed_host_are_as_placed() -> None:
    assert unit_rows() == []


@pytest.mark.parametrize(
    ("unit", "properties", "found"),
    [
        ("docker.service", {"ActiveState": "inactive"}, "inactive"),
        ("docker.service", {"ActiveState": "failed"}, "failed"),
        ("nvidia-cdi-refresh.path", {"UnitFileState": "disabled"}, "disabled"),
        ("docker.service", {"LoadState": "masked", "UnitFileState": "masked"}, "masked"),
        ("docker.service", {"LoadState": "not-found", "UnitFileState": ""}, "not-found"),
        ("docker.service", {"FragmentPath": "/etc/systemd/system/docker.service"}, "replaced by /etc"),
        ("docker.service", {"NeedDaemonReload": "yes"}, "not read since"),
    ],
)
def test_a_unit_that_is_otherwise_is_named(unit: str, properties: dict[str, str], found: str) -> None:
    ((what, said),) = unit_rows(unit, (), **properties)
    assert what == unit
    assert said.startswith(found)


def test_a_drop_in_of_somebody_is_named_whether_systemd_has_read_it_or_not() -> None:
    mine = "/etc/systemd/system/docker.service.d/mine.conf"
    named = [(mine, "a drop-in of docker.service")]
    assert unit_rows("docker.service", DropInPaths=f"{DROP_IN} {mine}") == named
    assert unit_rows("docker.service", drop_ins=(mine,), NeedDaemonReload="yes") == named
    packaged = "/usr/lib/systemd/system/docker.service.d/distribution.conf"
    assert unit_rows("docker.service", DropInPaths=f"{packaged} {DROP_IN}") == []


# --- packages and driver ------------------------------------------------------------------------------------

TOOLKIT = "nvidia-container-toolkit-base"
DRIVER = ("nvidia-driver-cuda", "nvidia-kernel-open-dkms", "nvidia-persistenced")
PLAN = Plan((), "nvidia-driver-pinning-580", DRIVER, 580, (f"{TOOLKIT}=1.20.0-1",), ())
HELD = declared(held=("docker.io", *PLAN.packages), exact={TOOLKIT: "1.20.0-1"}, driver=PLAN)


def states() -> dict[str, tuple[str, bool]]:
    return PackageStates().process(parts(HOST)["packages"])


def test_held_packages_of_a_deployed_host_are_no_finding() -> None:
    assert packages.holds(HOST, HELD, states()) == []


@given(st.sampled_from(HELD.held), st.sampled_from(["loose", "gone"]))
def test_a_held_package_that_is_loose_or_gone_is_named(name: str, how: str) -> None:
    now = states()
    version, _ = now.pop(name)
    if how == "loose":
        now[name] = (version, False)
    (row,) = packages.holds(HOST, HELD, now)
    assert (row.kind, row.what) == ("package hold", name)


def test_a_held_package_of_another_version_is_named() -> None:
    (row,) = packages.holds(HOST, HELD, states() | {TOOLKIT: ("1.99.0-1", True)})
    assert (row.found, row.wanted) == ("version 1.99.0-1", "version 1.20.0-1")


def driver_rows(site: Site, lines: list[str], now: dict[str, tuple[str, bool]] | None = None) -> list[str]:
    rows = packages.driver(HOST, site.nodes[0], HELD, now or states(), condition(lines), 2)
    assert {row.kind for row in rows} <= {"driver"}
    return [row.found for row in rows]


def test_a_driver_as_installed_is_no_finding_and_any_other_is(site: Site) -> None:
    lines = parts(HOST)["driver"]
    assert driver_rows(site, lines) == []
    module = condition(lines).module
    newer = [line.replace(f"module {module}", "module 580.999.1") for line in lines]
    assert driver_rows(site, newer) == [f"version {module} loaded"]
    branch = [line.replace(module, "595.71.05") for line in lines]
    assert "version 595.71.05 installed" in driver_rows(site, branch)
    foreign = states() | {"nvidia-driver-cuda": ("595.71.05-1", True)}
    assert driver_rows(site, lines, foreign) == ["version 595.71.05-1"]
    mismatch = [line for line in lines if not line.startswith(("smi", "answer"))]
    (said,) = driver_rows(site, ["smi 18", "answer Driver/library version mismatch", *mismatch])
    assert "mismatch" in said
    one_less = [line for n, line in enumerate(lines) if n != 1]
    (said,) = driver_rows(site, one_less)
    assert "sees 1 GPUs" in said


# --- walls, ports, settings ---------------------------------------------------------------------------------


def test_the_live_walls_are_what_nft_makes_of_the_declared_ones() -> None:
    lines = parts(HOST)["rules"]
    assert words(lines, "live") and words(lines, "wanted")
    assert network.firewall(HOST, lines) == []


RULES = [n for n, line in enumerate(parts(HOST)["rules"]) if line.startswith("live \t\t")]


@given(st.sampled_from(RULES), st.sampled_from(["removed", "added", "changed"]))
def test_any_rule_that_is_removed_added_or_changed_is_seen(place: int, how: str) -> None:
    lines = parts(HOST)["rules"]
    if how == "removed":
        del lines[place]
    elif how == "added":
        lines.insert(place, "live \t\ttcp dport 9999 accept")
    else:
        lines[place] = "live \t\ttcp dport 9999 accept"
    rows = network.firewall(HOST, lines)
    assert {row.kind for row in rows} == {"firewall rule"}
    assert 1 <= len(rows) <= 2
    assert all(row.what.startswith("chain ") for row in rows)


def test_a_table_that_is_gone_is_one_finding() -> None:
    lines = [line for line in parts(HOST)["rules"] if not line.startswith("live")]
    assert [(row.what, row.found) for row in network.firewall(HOST, lines)] == [
        ("table inet vibevoice", "not loaded")
    ]


def test_only_declared_ports_listen_on_a_deployed_node(site: Site) -> None:
    lines = parts(HOST)["ports"]
    assert network.ports(site, site.nodes[0], lines) == []
    mine = 'tcp LISTEN 0 5 *:9100 *:* users:(("by-hand",pid=1,fd=3))'
    (row,) = network.ports(site, site.nodes[0], [*lines, mine])
    assert (row.kind, row.what, row.found) == ("extra listening port", "*:9100/tcp", "by-hand listens")


def test_a_kernel_setting_that_is_otherwise_is_named() -> None:
    lines = parts(HOST)["sysctl"]
    live = dict(line.split(" = ", 1) for line in lines)
    assert len(live) >= 6
    assert network.sysctl(HOST, declared(sysctl=live), lines) == []
    for key in live:
        (row,) = network.sysctl(HOST, declared(sysctl={**live, key: "77"}), lines)
        assert (row.kind, row.what, row.wanted) == ("sysctl", key, "77")
    assert network.sysctl(HOST, declared(sysctl={"a.kernel.has.it.not": "1"}), lines) == []


# --- people -------------------------------------------------------------------------------------------------


def keys() -> frozenset[str]:
    """The lab's own key, the only one on its hosts."""
    blobs = [line.split()[3] for line in words(parts(HOST)["people"], "key")]
    return frozenset(people.fingerprint(base64.b64decode(blob)) for blob in blobs)


def who(
    site: Site, *lines: str, host: str = HOST, known: frozenset[str] | None = None
) -> list[tuple[str, str]]:
    member = site.gateway if host == site.gateway.host else site.node(host)
    rows = people.findings(site, member, [*parts(host)["people"], *lines], keys() if known is None else known)
    assert {row.kind for row in rows} <= {"user"}
    return [(row.what, row.found) for row in rows]


@pytest.mark.parametrize("host", ["gateway", "gpu-1", "gpu-2"])
def test_nobody_is_a_stranger_on_a_deployed_host(site: Site, host: str) -> None:
    assert who(site, host=host) == []


PEOPLE = {
    "account mallory:x:1000:1000::/home/mallory:/bin/bash": ("account mallory", "may log in (/bin/bash)"),
    "account toor:x:0:0::/root:/bin/sh": ("account toor", "is root (uid 0)"),
    "group docker:x:999:www-data": ("account www-data", "in group docker"),
    "sudo /etc/sudoers.d/x eve ALL=(ALL) NOPASSWD: ALL": ("sudo rule in /etc/sudoers.d/x", "for eve"),
    "sudo /etc/sudoers.d/x #1001 ALL=(ALL) ALL": ("sudo rule in /etc/sudoers.d/x", "for #1001"),
    "sudo /etc/sudoers @includedir /tmp/sudoers": ("sudo rule in /etc/sudoers", "for @includedir"),
    "sudo /etc/sudoers.d/x root ALL=(www-data) ALL": None,
    "sudo /etc/sudoers.d/x # eve ALL=(ALL) ALL": None,
    "sudo /etc/sudoers.d/x Defaults env_reset": None,
    "account service:x:1001:1001::/nonexistent:/usr/sbin/nologin": None,
    "account postgres:x:110:110::/var/lib/postgresql:/bin/bash": None,
}


@pytest.mark.parametrize("line", PEOPLE)
def test_who_may_become_somebody_is_named(site: Site, line: str) -> None:
    wanted = PEOPLE[line]
    assert who(site, line) == ([wanted] if wanted else [])


def test_an_account_without_a_password_is_named(site: Site) -> None:
    line = "account svc:x:500:500::/srv:/bin/sh"
    assert who(site, line) == []
    assert who(site, line, "open svc") == [("account svc", "needs no password")]


def test_a_key_is_known_by_its_fingerprint_and_only_where_it_belongs(site: Site) -> None:
    (line, *_) = words(parts(HOST)["people"], "key")
    _, path, kind, blob, *_ = line.split()
    ((what, found),) = who(site, known=frozenset())
    assert what == f"key in {path}"
    assert found.startswith("SHA256:")
    elsewhere = f"key www-data /var/www/.ssh/authorized_keys {kind} {blob} x"
    assert [what for what, _ in who(site, elsewhere)] == ["key in /var/www/.ssh/authorized_keys"]
    with_options = f'key root {path} command="echo a b",no-pty {kind} {blob} x'
    assert who(site, with_options) == []
    assert who(site, f"key root {path} # {kind} {blob}") == []


def test_what_operators_declares_is_nobodys_surprise(site: Site) -> None:
    (fingerprint,) = keys()
    declared = site.model_copy(update={"operators": Operators(accounts=("ann",), keys=(fingerprint,))})
    lines = ["account ann:x:1000:1000::/home/ann:/bin/bash", "group docker:x:999:ann"]
    assert who(declared, *lines, "sudo /etc/sudoers.d/x ann ALL=(ALL) ALL", known=frozenset()) == []


def test_the_door_lets_in_whom_the_inventory_names(site: Site) -> None:
    lines = parts("gateway")["door-people"]
    assert people.door(site, lines) == []
    heard = json.loads("\n".join(lines))
    heard["people"][0] |= {"name": "mallory"}
    heard["people"].append({"name": "corp:eve@example.com", "projects": ["podcast"]})
    rows = people.door(site, [json.dumps(heard)])
    assert len(rows) == 2
    assert ("the door's mallory", "unknown") in [(row.what, row.wanted) for row in rows]
    assert people.door(site, []) == []

"""Containers as they are against containers as they are declared, on what Docker of a deployed node said."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roles.drift import containers, traefik
from roles.drift.containers import Live, Wanted
from roles.drift.shape import UnknownOption, of_arguments
from roles.studios.labels import traefik_labels
from steps.containers import SPEC_LABEL
from tests.unit.drift_answers import CAPTURED, arguments, parts

HOST = "gpu-1"
NAMES = sorted(json.loads((CAPTURED / "arguments.json").read_text()))
STUDIO = next(name for name in NAMES if name.startswith("vv-podcast-0-"))
WANTED = [Wanted(name, arguments(name), name) for name in NAMES]


def live() -> dict[str, Live]:
    return containers.read(parts(HOST)["docker"])[0]


def kinds(wanted: list[Wanted], found: dict[str, Live], drained: bool = False) -> set[str]:
    return {one.kind for one in containers.findings(HOST, wanted, found, drained)}


def studio_wants(change: Callable[[list[str]], list[str]]) -> list[Wanted]:
    """All that is declared, the studio otherwise than it is; its labels stay those that the container has."""
    return [
        Wanted(one.name, change(list(one.arguments)), one.holder) if one.name == STUDIO else one
        for one in WANTED
    ]


def test_a_node_as_deployed_has_exactly_its_containers() -> None:
    assert containers.findings(HOST, WANTED, live(), False) == []


def swapped(old: str, new: str) -> Callable[[list[str]], list[str]]:
    def change(tokens: list[str]) -> list[str]:
        changed = [token.replace(old, new) for token in tokens]
        assert changed != tokens, f"{old} is in no argument"
        return changed

    return change


DIFFERENCES: dict[str, tuple[str, Callable[[list[str]], list[str]]]] = {
    "the image": ("image", lambda tokens: [*tokens[:-1], tokens[-1][:-4] + "beef"]),
    "the GPU": ("device", swapped("nvidia.com/gpu=GPU-", "nvidia.com/gpu=GPU-0")),
    "a second GPU": (
        "device", lambda tokens: ["docker", "create", "--device", "nvidia.com/gpu=GPU-2", *tokens[2:]]
    ),
    "a variable": ("specification", swapped("VV_STREAMS=8", "VV_STREAMS=9")),
    "a variable less": (
        "specification",
        lambda tokens: [t for n, t in enumerate(tokens) if "VV_STREAMS" not in "".join(tokens[n : n + 2])],
    ),
    "the stop's patience": ("specification", swapped("27", "28")),
    "a mount that may be written": ("specification", swapped("dst=/weights,readonly", "dst=/weights")),
    "the user": ("specification", swapped("10001:10001", "0:0")),
    "a capability": (
        "specification", lambda tokens: ["docker", "create", "--cap-add", "SYS_ADMIN", *tokens[2:]]
    ),
    "the liveness": ("specification", swapped("live.py", "dead.py")),
    "a label": ("label", swapped("vibevoice.site=lab", "vibevoice.site=other")),
    "a label that routes": ("label", swapped("healthcheck.interval=1s", "healthcheck.interval=3s")),
}  # fmt: skip


@pytest.mark.parametrize("what", DIFFERENCES)
def test_one_difference_is_one_kind_of_finding(what: str) -> None:
    kind, change = DIFFERENCES[what]
    assert kinds(studio_wants(change), live()) == {kind}


def test_a_spec_label_alone_is_the_specification() -> None:
    spec = live()[STUDIO].shape.labels[SPEC_LABEL]
    other = studio_wants(swapped(f"{SPEC_LABEL}={spec}", f"{SPEC_LABEL}=00000000"))
    (finding,) = containers.findings(HOST, other, live(), False)
    assert (finding.kind, finding.found, finding.wanted) == ("specification", spec, "00000000")
    assert "deploy" in finding.remedy and "docker rm" not in finding.remedy


def test_what_a_deploy_would_not_see_is_removed_by_hand_first() -> None:
    (finding,) = containers.findings(
        HOST, studio_wants(swapped("VV_STREAMS=8", "VV_STREAMS=9")), live(), False
    )
    assert f"docker stop {STUDIO} && docker rm {STUDIO}" in finding.remedy


def test_the_value_of_a_variable_is_not_shown() -> None:
    secret = studio_wants(swapped("VV_STREAMS=8", "VV_STREAMS=hunter2"))
    assert "hunter2" not in str(containers.findings(HOST, secret, live(), False))


@given(st.sampled_from(NAMES))
def test_a_container_that_nobody_declared_is_extra(name: str) -> None:
    rest = [one for one in WANTED if one.name != name]
    (finding,) = containers.findings(HOST, rest, live(), False)
    assert (finding.kind, finding.what) == ("extra container", name)


@given(st.sampled_from(NAMES), st.sampled_from(["exited", "created", "paused", "dead"]))
def test_a_stopped_container_is_a_difference_unless_its_node_is_drained(name: str, status: str) -> None:
    stopped = live()
    stopped[name] = replace(stopped[name], status=status)
    assert kinds(WANTED, stopped) == {"specification"}
    studio = name.startswith("vv-podcast-")
    assert kinds(WANTED, stopped, drained=True) == (set() if studio else {"specification"})


def test_a_traefik_that_drains_its_last_streams_is_not_extra() -> None:
    found = live()
    proxy = found["vv-node-proxy"]
    for name in ("vv-node-proxy-old-0123456789ab", "vv-node-proxy-new"):
        found[name] = replace(proxy, name=name)
    assert kinds(WANTED, found) == set()
    ended = {**found, "vv-node-proxy-new": replace(proxy, name="vv-node-proxy-new", status="exited")}
    assert kinds(WANTED, ended) == {"extra container"}
    found["vv-node-proxy-mine"] = replace(proxy, name="vv-node-proxy-mine")
    assert kinds(WANTED, found) == {"extra container"}


def test_an_option_that_drift_cannot_compare_is_an_error_and_not_a_silence() -> None:
    with pytest.raises(UnknownOption, match="--pids-limit"):
        of_arguments(["docker", "create", "--pids-limit", "100", "image"], {})


# --- Traefik ------------------------------------------------------------------------------------------------


def table() -> traefik.Table:
    answer = parts(HOST)
    found = traefik.live(answer["routers"], answer["services"])
    assert found is not None
    return found


FILES = traefik.Table(
    {name: words for name, words in table().routers.items() if name.endswith("@file")}, table().services
)


def routes(found: traefik.Table | None, containers: dict[str, Live]) -> list[str]:
    rows = traefik.findings(HOST, "vv-node-proxy", found, FILES, WANTED, containers)
    assert {row.kind for row in rows} <= {"route"}
    return [row.what for row in rows]


def test_what_the_labels_say_is_what_traefik_routes() -> None:
    assert routes(table(), live()) == []


def test_a_router_that_is_gone_added_or_changed_is_named() -> None:
    name = "vv-podcast@docker"
    whole = table()
    without = {key: words for key, words in whole.routers.items() if key != name}
    assert routes(traefik.Table(without, whole.services), live()) == [name]
    assert routes(traefik.Table({**whole.routers, "by-hand@docker": "x"}, whole.services), live()) == [
        "by-hand@docker"
    ]
    assert routes(traefik.Table({**whole.routers, name: "x"}, whole.services), live()) == [name]


def test_a_studio_that_does_not_serve_has_no_router_and_that_is_no_drift() -> None:
    down = {
        key: replace(one, healthy=False) if key.startswith("vv-podcast-0") else one
        for key, one in live().items()
    }
    whole = table()
    less = {key: words for key, words in whole.routers.items() if key != "vv_podcast_0_metrics@docker"}
    assert routes(traefik.Table(less, whole.services), down) == []
    assert routes(traefik.Table(less, whole.services), live()) == ["vv_podcast_0_metrics@docker"]


def test_a_traefik_that_does_not_answer_is_named_once() -> None:
    assert routes(None, live()) == ["vv-node-proxy"]


def test_labels_are_read_as_traefik_reads_them() -> None:
    found = traefik.of_labels(traefik_labels("podcast", 0), {})
    assert {name: table().routers[name] for name in found} == found


def test_what_an_entry_point_brings_along_comes_first() -> None:
    found = traefik.of_labels(traefik_labels("podcast", 0), {"studios": ["again@file"]})
    assert found["vv-podcast@docker"].endswith(" through again@file,vv-podcast-prefix@docker")
    assert found["vv_podcast_0_metrics@docker"].endswith(" through vv_podcast_0_metrics@docker")

"""The routers and services that a Traefik has in force, against those that are declared. Pure.

Files on the disk say what was meant; Traefik's own API says what is served.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from roles.drift.containers import Live, Wanted
from roles.drift.finding import Finding
from roles.drift.shape import of_arguments
from steps.files import File

ROUTER, SERVICE = "traefik.http.routers.", "traefik.http.services."


@dataclass(frozen=True)
class Table:
    """What is routed: routers and services by `name@provider`, each as one line of words.

    Args:
        points: the middlewares that each entry point brings along.
    """

    routers: Mapping[str, str]
    services: Mapping[str, str]
    points: Mapping[str, Sequence[str]] = field(default_factory=dict)


def of_files(files: Iterable[File], static: str) -> Table:
    """The table of dynamic files; `static`: traefik.yml, whose entry points bring middlewares along."""
    declared = yaml.safe_load(static)["entryPoints"]
    points = {name: (point.get("http") or {}).get("middlewares") or [] for name, point in declared.items()}
    routers, services = {}, {}
    for file in files:
        http = (yaml.safe_load(file.data) or {}).get("http") or {}
        for name, router in (http.get("routers") or {}).items():
            routers[f"{name}@file"] = _router(
                router["rule"],
                router["entryPoints"],
                [
                    *(one for point in router["entryPoints"] for one in points.get(point, [])),
                    *(_qualified(one, "file") for one in router.get("middlewares", [])),
                ],
                router["service"],
            )
        for name, service in (http.get("services") or {}).items():
            services[f"{name}@file"] = _service(service)
    return Table(routers, services, points)


def of_labels(labels: Mapping[str, str], points: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The routers of a container's labels. `points`: the middlewares that entry points bring along."""
    found: dict[str, dict[str, str]] = {}
    for key, value in labels.items():
        if key.startswith(ROUTER):
            name, _, what = key.removeprefix(ROUTER).partition(".")
            found.setdefault(name, {})[what] = value
    routers = {}
    for name, router in found.items():
        entered = router.get("entrypoints", "").split(",")
        middlewares = [
            *(one for point in entered for one in points.get(point, [])),
            *(_qualified(one, "docker") for one in router.get("middlewares", "").split(",") if one),
        ]
        routers[f"{name}@docker"] = _router(
            router.get("rule", ""), entered, middlewares, router.get("service", "")
        )
    return routers


def live(routers: Sequence[str], services: Sequence[str]) -> Table | None:
    """The table of Traefik's API, without what is its own; None where it does not answer."""
    try:
        found, servers = json.loads("".join(routers)), json.loads("".join(services))
    except ValueError:
        return None
    return Table(
        {
            one["name"]: _router(
                one["rule"], one["entryPoints"], one.get("middlewares", []), one["service"], one["status"]
            )
            for one in found
            if one["provider"] != "internal"
        },
        {one["name"]: _service(one) for one in servers if one["name"].endswith("@file")},
    )


def findings(
    host: str,
    proxy: str,
    table: Table | None,
    files: Table,
    containers: Iterable[Wanted],
    live: Mapping[str, Live],
) -> list[Finding]:
    """What is routed otherwise than declared.

    Args:
        proxy: Traefik's container. files: what its files declare. containers: those that may have labels.
        live: containers that exist; a router is there as long as one of its containers serves.
    """
    if table is None:
        runs = proxy in live and live[proxy].status == "running"
        wish = "its routers, on its internal entry point"
        remedy = f"docker logs {proxy}"
        return [Finding("route", host, proxy, "does not answer", wish, remedy)] if runs else []
    possible, certain = dict(files.routers), set(files.routers)
    for one in containers:
        holder = live.get(one.holder)
        own = of_labels(of_arguments(one.arguments, {}).labels, files.points)
        possible |= own
        if holder is not None and holder.serves:
            certain |= own.keys()
    rows = _differences(table.routers, possible, certain)
    rows += _differences(table.services, files.services, set(files.services))
    remedy = f"look at {proxy}'s dynamic folder and at docker ps; docker restart {proxy} reads both anew"
    return [Finding("route", host, *row, remedy) for row in rows]


def _differences(
    found: Mapping[str, str], possible: Mapping[str, str], certain: set[str]
) -> list[tuple[str, str, str]]:
    rows = []
    for name in sorted({*found, *certain}):
        have, wish = found.get(name, "absent"), possible.get(name, "absent")
        if have != wish:
            rows.append((name, have, wish))
    return rows


def _router(
    rule: str, points: Sequence[str], middlewares: Sequence[str], service: str, status: str = "enabled"
) -> str:
    words = f"{rule} on {','.join(points)} to {service}"
    if middlewares:
        words += f" through {','.join(middlewares)}"
    return words if status == "enabled" else f"{status}: {words}"


def _service(service: Mapping[str, Any]) -> str:
    if balancer := service.get("loadBalancer"):
        return " ".join(sorted(server.get("url", "") for server in balancer.get("servers", [])))
    if failover := service.get("failover"):
        return f"{failover['service']}, else {failover['fallback']}"
    return "another kind of service"


def _qualified(name: str, provider: str) -> str:
    return name if "@" in name else f"{name}@{provider}"

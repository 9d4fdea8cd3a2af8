"""A container as its `docker create` arguments want it, and as `docker inspect` shows it: in the same words.

A label with the hash of a specification says what the container was made of, not what it is: whoever makes
one by hand copies the label. So the container itself is read. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SECOND = 10**9
SHM_DEFAULT = 64 * 2**20


@dataclass(frozen=True)
class Shape:
    """A container.

    Args:
        image: the reference it was made from. digests: all references of the image it runs.
        labels, env: its own and those of its image.
        devices: CDI names and device paths.
        options: everything else by the option's name, in comparable words.
    """

    image: str
    digests: frozenset[str]
    labels: Mapping[str, str]
    env: Mapping[str, str]
    devices: tuple[str, ...]
    options: Mapping[str, str]


class UnknownOption(ValueError):
    """An option of `docker create` that this module does not know: teach it, or drift would not see it."""


FLAGS = {"--read-only"}
SINGLE = {
    "--name",
    "--network",
    "--restart",
    "--user",
    "--shm-size",
    "--stop-timeout",
    "--health-cmd",
    "--health-interval",
    "--health-timeout",
    "--health-retries",
    "--health-start-period",
    "--health-start-interval",
}
MANY = {
    "--tmpfs",
    "--cap-drop",
    "--cap-add",
    "--security-opt",
    "--device",
    "--mount",
    "--volume",
    "--env",
} | {"--label"}
SHORT = {"-v": "--volume", "-e": "--env"}
# In the order of inspect's Healthcheck.
HEALTH = {
    "--health-interval": "Interval",
    "--health-timeout": "Timeout",
    "--health-retries": "Retries",
    "--health-start-period": "StartPeriod",
    "--health-start-interval": "StartInterval",
}


def of_arguments(arguments: Sequence[str], image: Mapping[str, Any]) -> Shape:
    """The container that `docker create …` makes. Raises UnknownOption.

    Args:
        image: what `docker image inspect` says of the image: it says what the arguments leave open.
    """
    below = image.get("Config") or {}
    single, many, rest = _parse(list(arguments[2:]))
    options = {
        "user": single.get("--user") or below.get("User") or "",
        "read-only": str("--read-only" in single).lower(),
        "network": _words([single.get("--network", "bridge")]),
        "restart": single.get("--restart", "no"),
        "shm-size": single.get("--shm-size", str(SHM_DEFAULT)),
        "stop-timeout": single.get("--stop-timeout", ""),
        "tmpfs": _words(many.get("--tmpfs", [])),
        "cap-drop": _capabilities(many.get("--cap-drop", [])),
        "cap-add": _capabilities(many.get("--cap-add", [])),
        "security-opt": _words(many.get("--security-opt", [])),
        "mounts": _words([*map(_mount, many.get("--mount", [])), *map(_bind, many.get("--volume", []))]),
        "health": _health_wanted(single) if "--health-cmd" in single else _health(below.get("Healthcheck")),
        "command": json.dumps(rest[1:] or below.get("Cmd") or []),
        "entrypoint": json.dumps(below.get("Entrypoint") or []),
        **UNWANTED,
    }
    return Shape(
        image=rest[0],
        digests=frozenset(),
        labels=(below.get("Labels") or {}) | _variables(many.get("--label")),
        env=_variables(below.get("Env")) | _variables(many.get("--env")),
        devices=tuple(sorted(many.get("--device", []))),
        options=options,
    )


# What no container of the site has.
UNWANTED = {"privileged": "false", "ports": "", "pid": "", "devices-by-path": "", "group-add": ""}


def of_inspect(container: Mapping[str, Any], image: Mapping[str, Any]) -> Shape:
    """The container that exists. `image`: what `docker image inspect` says of its image, {} if it is gone."""
    config, host = container["Config"], container["HostConfig"]
    networks = container["NetworkSettings"]["Networks"] or {}
    restart = host["RestartPolicy"]
    binds = [_bind(one) for one in host.get("Binds") or []]
    mounts = [_live_mount(one) for one in host.get("Mounts") or []]
    options = {
        "user": config["User"],
        "read-only": str(host["ReadonlyRootfs"]).lower(),
        "network": _words([*networks] or [host["NetworkMode"]]),
        "restart": restart["Name"] or "no",
        "shm-size": str(host["ShmSize"]),
        "stop-timeout": str(config.get("StopTimeout") or ""),
        "tmpfs": _words(f"{k}:{v}".rstrip(":") for k, v in (host.get("Tmpfs") or {}).items()),
        "cap-drop": _capabilities(host.get("CapDrop") or []),
        "cap-add": _capabilities(host.get("CapAdd") or []),
        "security-opt": _words(host.get("SecurityOpt") or []),
        "mounts": _words([*mounts, *binds]),
        "health": _health(config.get("Healthcheck")),
        "command": json.dumps(config["Cmd"] or []),
        "entrypoint": json.dumps(config["Entrypoint"] or []),
        "privileged": str(host["Privileged"]).lower(),
        "ports": _words(host.get("PortBindings") or {}),
        "pid": host.get("PidMode") or "",
        "devices-by-path": _words(one["PathOnHost"] for one in host.get("Devices") or []),
        "group-add": _words(host.get("GroupAdd") or []),
    }
    requests = host.get("DeviceRequests") or []
    return Shape(
        image=config["Image"],
        digests=frozenset([*(image.get("RepoDigests") or []), *(image.get("RepoTags") or [])]),
        labels=config["Labels"] or {},
        env=_variables(config["Env"]),
        devices=tuple(sorted(device for one in requests for device in _devices(one))),
        options=options,
    )


def _parse(tokens: list[str]) -> tuple[dict[str, str], dict[str, list[str]], list[str]]:
    single: dict[str, str] = {}
    many: dict[str, list[str]] = {}
    while tokens and tokens[0].startswith("-"):
        option = SHORT.get(tokens[0], tokens[0])
        tokens.pop(0)
        if option in FLAGS:
            single[option] = "true"
        elif option in SINGLE:
            single[option] = tokens.pop(0)
        elif option in MANY:
            many.setdefault(option, []).append(tokens.pop(0))
        else:
            raise UnknownOption(f"docker create {option}: roles/drift/shape.py does not know this option.")
    return single, many, tokens


def _words(values: Any) -> str:
    return " ".join(sorted(map(str, values)))


def _capabilities(values: Sequence[str]) -> str:
    return _words(value.upper().removeprefix("CAP_") for value in values)


def _bind(entry: str) -> str:
    source, target, *how = entry.split(":")
    return f"{source}:{target}:ro" if "ro" in how else f"{source}:{target}"


def _mount(entry: str) -> str:
    fields: dict[str, str] = {}
    for one in entry.split(","):
        key, _, value = one.partition("=")
        fields[key] = value
    return _bind(f"{fields['src']}:{fields['dst']}" + (":ro" if "readonly" in fields else ""))


def _live_mount(mount: Mapping[str, Any]) -> str:
    return _bind(f"{mount.get('Source', '')}:{mount['Target']}" + (":ro" if mount.get("ReadOnly") else ""))


def _health_wanted(single: Mapping[str, str]) -> str:
    numbers = {field: single.get(option, "0") for option, field in HEALTH.items()}
    seconds = {
        field: value if field == "Retries" else value.removesuffix("s") for field, value in numbers.items()
    }
    return json.dumps([single["--health-cmd"], *seconds.values()])


def _health(own: Mapping[str, Any] | None) -> str:
    if not own:
        return ""
    test = own.get("Test") or [""]
    numbers = [own.get(field, 0) for field in HEALTH.values()]
    values = [
        str(number if field == "Retries" else number // SECOND)
        for field, number in zip(HEALTH.values(), numbers, strict=True)
    ]
    return json.dumps([" ".join(test[1:]), *values])


def _variables(entries: Sequence[str] | None) -> dict[str, str]:
    return dict(entry.split("=", 1) for entry in entries or [] if "=" in entry)


def _devices(request: Mapping[str, Any]) -> list[str]:
    if request.get("DeviceIDs"):
        return list(request["DeviceIDs"])
    # `--gpus all` names none and means as many as there are.
    return [
        f"{request.get('Driver') or 'gpu'}:{'all' if request.get('Count') == -1 else request.get('Count')}"
    ]

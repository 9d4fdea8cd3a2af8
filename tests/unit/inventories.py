"""A right inventory with everything it refers to, for tests to spoil."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from fleet.inventory import build
from fleet.mistakes import WrongInventory
from fleet.models import Site

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAyPbfCGodBUmAyPbfCGodBUmAyPbfCGodBU"
SECRETS = {"users": {"ana": "a-long-password", "li": "another-password"}}


def inventory(folder: Path) -> dict[str, Any]:
    """A site of two nodes and two projects; its key, locks, host keys and secrets are in `folder`."""
    key = folder / "id_ed25519"
    key.touch()
    lock = folder / "tiny.lock.json"
    lock.write_text(json.dumps(a_lock()))
    hosts = ["gw.example.com", "gpu-1.example.com", "10.1.2.3"]
    (folder / "site.known_hosts").write_text("".join(f"{host} {KEY}\n" for host in hosts))
    write_secrets(folder, SECRETS)
    return {
        "domain": "studio.example.com",
        "acme": {"email": "ops@example.com"},
        "gateway": {"host": "gw.example.com", "address": "192.0.2.10", "ssh": {"key": str(key)}},
        "nodes": [
            {"host": "gpu-1.example.com", "gpus": 4, "gpu_memory": "48GiB"},
            {
                "host": "gpu-2.lan",
                "gpus": 2,
                "gpu_memory": "16GiB",
                "ssh": {"user": "ops", "jump": "gw.example.com", "address": "10.1.2.3"},
            },
        ],
        "projects": [
            {
                "name": "podcast",
                "node": "gpu-1.example.com",
                "gpus": 2,
                "model": "tiny",
                "users": ["ana", "li"],
            },
            {"name": "debate", "node": "gpu-1.example.com", "slots": [3], "model": "tiny", "users": ["ana"]},
        ],
        "models": [{"name": "tiny", "repo": "lab/tiny", "memory": "1GiB", "lock": str(lock)}],
    }


def a_lock() -> dict[str, Any]:
    """A lock file's content."""
    files = [{"path": "model.safetensors", "size": 10, "sha256": "a" * 64}]
    return {"repo": "lab/tiny", "revision": "c" * 40, "files": files}


def write_secrets(folder: Path, tables: dict[str, dict[str, str]], mode: int = 0o600) -> None:
    """Write the secrets file of the site in `folder`."""
    sections = (
        f"[{name}]\n" + "".join(f'"{u}" = "{p}"\n' for u, p in users.items())
        for name, users in tables.items()
    )
    file = folder / "site.secrets.toml"
    file.write_text("\n".join(sections))
    file.chmod(mode)


def change(whole: dict[str, Any], path: str, value: Any) -> None:
    """Set `nodes.0.gpus` and the like; a value of None removes the key, `projects.+` appends."""
    *steps, last = path.split(".")
    place: Any = whole
    for step in steps:
        place = place[int(step)] if isinstance(place, list) else place.setdefault(step, {})
    if last == "+":
        place.append(copy.deepcopy(value))
    elif value is None:
        del place[int(last) if isinstance(place, list) else last]
    else:
        place[int(last) if isinstance(place, list) else last] = copy.deepcopy(value)


def site(folder: Path, whole: Any) -> Site:
    """The site of that dictionary, as inventory/site.py in `folder`."""
    return build(folder / "site.py", whole)


def mistakes(folder: Path, whole: Any) -> list[str]:
    """Every mistake found, each without the file's name in front."""
    try:
        site(folder, whole)
    except WrongInventory as error:
        return [f"{mistake.key} {mistake.words}".replace(f"{folder}/", "") for mistake in error.mistakes]
    return []

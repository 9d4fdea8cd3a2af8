"""A small site for the tests of what is rendered from one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fleet import Site

GIB = "48GiB"


def example_site(**changes: Any) -> Site:
    """Two nodes, the projects p1 (two GPUs of the first) and p10 (one of the second); logins ana and li."""
    values: dict[str, Any] = {
        "name": "example",
        "file": Path("inventory/example.py"),
        "domain": "studio.example.com",
        "acme": {"email": "ops@example.com", "server": "https://acme.invalid/dir"},
        "gateway": {"host": "gw.example.com", "address": "192.0.2.10"},
        "nodes": [
            {"host": "gpu-1.example.com", "gpus": 4, "gpu_memory": GIB},
            {"host": "gpu-2.example.com", "gpus": 1, "gpu_memory": GIB},
        ],
        "projects": [
            {"name": "p1", "node": "gpu-1.example.com", "gpus": 2, "model": "tiny", "users": ["ana", "li"]},
            {"name": "p10", "node": "gpu-2.example.com", "gpus": 1, "model": "tiny", "users": ["ana"]},
        ],
        "models": [{"name": "tiny", "repo": "lab/tiny", "revision": "c" * 40, "memory": "1GiB"}],
        "known_hosts": Path("inventory/example.known_hosts"),
        "secrets_file": Path("inventory/example.secrets.toml"),
        "secrets": {
            "users": {"ana": "the password of ana", "li": "the password of li"},
            "dashboard": {"root": "look"},
        },
    }
    return Site.model_validate(values | changes)

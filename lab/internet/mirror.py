"""Docker Hub's place in the lab: a registry with the few images a site pulls, under their own names."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from lab import process
from lab.internet import image_trees
from lab.internet.cache import command, fresh, keep, key
from lab.paths import INTERNET
from lab.topology import MACHINE

PORT = 8103
URL = f"http://{MACHINE}:{PORT}"
NEEDS = ("buildah", "mmdebstrap")
NAMES = {
    "traefik": f"library/traefik:v{image_trees.TRAEFIK}",
    "registry": "library/registry:2.8.3",
    "haproxy": "library/haproxy:3.0",
    "python": "library/python:3.11-slim-bookworm",
}

_HOME = INTERNET / "mirror"
_RECIPES = Path(__file__).parent / "images"
_STORAGE = _HOME / "registry"
_PROGRAM = _HOME / "program"
# Builds happen here and leave nothing: what counts is in the registry.
_BUILDAH = _HOME / "buildah"
_ON_BASE = {"traefik", "registry", "haproxy"}
_LOCAL = "localhost/vibevoice-lab"

_CONFIG = """\
version: 0.1
log: {{level: warn, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: {storage}}}
  cache: {{blobdescriptor: inmemory}}
http: {{addr: "{address}"}}
"""


def settled() -> bool:
    """Whether every image is made from today's recipe and the registry runs."""
    return process.alive("mirror") and all(fresh(_done(name), _key(name)) for name in NAMES)


def ensure() -> bool:
    """Serve, then make and push what is missing or changed; returns whether anything changed."""
    changed = keep(_PROGRAM, _key("registry"), _install)
    changed = _serve() or changed
    stale = [name for name in NAMES if not fresh(_done(name), _key(name))]
    if not stale:
        return changed
    shutil.rmtree(_BUILDAH, ignore_errors=True)  # of a run that was killed
    if set(stale) & _ON_BASE:
        _build("base", _BUILDAH / "base")
    for name in stale:
        keep(_done(name), _key(name), lambda folder, name=name: _make(name, folder))
    shutil.rmtree(_BUILDAH)
    return True


def _serve() -> bool:
    config = _CONFIG.format(storage=_STORAGE, address=f"{MACHINE}:{PORT}")
    path = _HOME / "config.yml"
    path.write_text(config)
    argv = [str(_PROGRAM / "registry"), "serve", str(path)]
    return process.start("mirror", argv, listens=(MACHINE, PORT), version=key(config, _key("registry")))


def _install(folder: Path) -> None:
    shutil.move(image_trees.registry_binary(folder / "package"), folder / "registry")
    shutil.rmtree(folder / "package")


def _done(name: str) -> Path:
    return _HOME / "images" / name


def _key(name: str) -> str:
    recipes = [_RECIPES / name, *([_RECIPES / "base"] if name in _ON_BASE else [])]
    return key(*recipes, Path(image_trees.__file__), Path(__file__))


def _make(name: str, folder: Path) -> None:
    _build(name, folder / "context")
    _push(name, folder)
    shutil.rmtree(folder / "context")


def _build(name: str, context: Path) -> None:
    """Build the image in a context of its tree and its recipe's files."""
    shutil.copytree(_RECIPES / name, context)
    image_trees.TREES[name](context / "tree")
    # zstd layers, which the hosts unpack several times faster than gzip, need the OCI format.
    _buildah("bud", "--layers=false", "--format=oci", "--isolation=chroot", "-t", f"{_LOCAL}/{name}", context)


def _push(name: str, folder: Path) -> None:
    target = f"docker://{MACHINE}:{PORT}/{NAMES[name]}"
    digest = folder / "digest"
    options = ("--tls-verify=false", "--format=oci", "--compression-format=zstd", f"--digestfile={digest}")
    _buildah("push", *options, f"{_LOCAL}/{name}", target)


def _buildah(verb: str, *arguments: str | Path) -> str:
    """buildah with a storage and a trust policy of its own: the machine's are somebody else's."""
    policy = _HOME / "policy.json"
    policy.write_text(json.dumps({"default": [{"type": "insecureAcceptAnything"}]}))
    place = ("--root", _BUILDAH / "storage", "--runroot", _BUILDAH / "run")
    driver = ("--storage-driver", "overlay")
    options = ("--signature-policy", policy) if verb in ("bud", "push") else ()
    return command("nice", "buildah", *place, *driver, verb, *options, *arguments)

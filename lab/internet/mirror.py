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
    return process.alive("mirror") and all(fresh(_done(name), _key(name)) for name in image_trees.TREES)


def ensure() -> bool:
    """Serve, then make and push what is missing or changed; returns whether anything changed."""
    changed = keep(_PROGRAM, _key("registry"), _install)
    changed = _serve() or changed
    for name in image_trees.TREES:
        changed = keep(_done(name), _key(name), lambda folder, name=name: _make(name, folder)) or changed
    return changed


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
    recipe = key(_RECIPES / name, Path(image_trees.__file__), Path(__file__))
    return recipe if name in ("base", "python") else key(recipe, _key("base"))


def _make(name: str, folder: Path) -> None:
    """Build the image in a context made of its tree and its recipe's files, and push it."""
    context = folder / "context"
    shutil.copytree(_RECIPES / name, context)
    image_trees.TREES[name](context / "tree")
    # zstd, because the hosts unpack it several times faster than gzip; it needs the OCI format.
    _buildah("bud", "--layers=false", "--format=oci", "--isolation=chroot", "-t", f"{_LOCAL}/{name}", context)
    if name in NAMES:
        _push(name, folder)
        _buildah("rmi", f"{_LOCAL}/{name}")  # the registry has it now
    shutil.rmtree(context)


def _push(name: str, folder: Path) -> None:
    target = f"docker://{MACHINE}:{PORT}/{NAMES[name]}"
    digest = folder / "digest"
    options = ("--tls-verify=false", "--format=oci", "--compression-format=zstd", f"--digestfile={digest}")
    _buildah("push", *options, f"{_LOCAL}/{name}", target)


def _buildah(verb: str, *arguments: str | Path) -> str:
    """buildah with a storage and a trust policy of its own: the machine's are somebody else's."""
    policy = _HOME / "policy.json"
    policy.write_text(json.dumps({"default": [{"type": "insecureAcceptAnything"}]}))
    place = ("--root", _HOME / "storage", "--runroot", Path("/run/vibevoice-lab/buildah"))
    driver = ("--storage-driver", "overlay")
    options = ("--signature-policy", policy) if verb in ("bud", "push") else ()
    return command("nice", "buildah", *place, *driver, verb, *options, *arguments)

"""Pin a model to what the hub has now: python -m fleet.weights INVENTORY MODEL

Writes the model's lock: commit, files, sizes, checksums. From then on every node gets exactly those
bytes. A private or gated repository wants HF_TOKEN in the environment.
"""

import argparse
import hashlib
import os
import sys
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import requests
from requests.auth import AuthBase

from fleet.inventory import load_or_exit
from fleet.locks import Lock, LockedFile
from fleet.mistakes import counted, guess, near
from fleet.quantities import show_size

# What loading the model reads. No pickles: they run code. No second copy in another format.
SUFFIXES = {".safetensors", ".json", ".txt", ".jinja", ".model"}
TIMEOUT_S = 60


class HubError(Exception):
    """The hub did not give what a lock needs; the words are for the operator."""


def main() -> None:
    """Write the lock of one model of an inventory, or say why not and exit with 1."""
    parser = argparse.ArgumentParser(prog="python -m fleet.weights")
    parser.add_argument("inventory")
    parser.add_argument("model")
    arguments = parser.parse_args()
    site = load_or_exit(arguments.inventory, prepared=False)
    names = [model.name for model in site.models]
    if arguments.model not in names:
        hint = guess(arguments.model, names, f"Known are {', '.join(names)}.")
        sys.exit(f"{arguments.inventory}: there is no model {arguments.model}. {hint}")
    model = site.model(arguments.model)
    try:
        lock = pin(site.studio.hub, model.repo, model.revision, os.environ.get("HF_TOKEN"))
    except HubError as error:
        sys.exit(str(error))
    lock.write(model.lock)
    print(
        f"{near(model.lock)}: {lock.repo} at {lock.revision[:12]}, "
        f"{counted(len(lock.files), 'file')}, {show_size(lock.size)}"
    )


def pin(hub: str, repo: str, revision: str, token: str | None = None) -> Lock:
    """The lock of a repository as the hub has it.

    hub: its base URL. revision: branch, tag or commit. token: for private and gated repositories.
    Raises HubError.
    """
    session = requests.Session()
    if token:
        session.auth = _Bearer(token)
    found = _get(session, f"{hub}/api/models/{repo}/revision/{revision}?blobs=true").json()
    commit = found["sha"]
    files = [
        _locked(session, f"{hub}/{repo}/resolve/{commit}", sibling)
        for sibling in sorted(found["siblings"], key=lambda sibling: sibling["rfilename"])
        if PurePosixPath(sibling["rfilename"]).suffix in SUFFIXES
    ]
    if not any(file.path.endswith(".safetensors") for file in files):
        raise HubError(f"{hub}: {repo} at {commit[:12]} has no .safetensors file, so no weights to serve.")
    return Lock(repo=repo, revision=commit, files=tuple(files))


class _Bearer(AuthBase):
    """The token as requests' own login, so that no .netrc replaces it and no redirect carries it away."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        r.headers["Authorization"] = f"Bearer {self._token}"
        return r


def _locked(session: requests.Session, base: str, sibling: Mapping[str, Any]) -> LockedFile:
    """A large file's checksum is the hub's word; a small one, which has none, is fetched and hashed."""
    path = sibling["rfilename"]
    if large := sibling.get("lfs"):
        return LockedFile(path=path, size=large["size"], sha256=large["sha256"])
    content = _get(session, f"{base}/{path}").content
    git_hash = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    if sibling.get("blobId", git_hash) != git_hash:
        raise HubError(f"{base}/{path}: what came is not the file that the hub lists. Try again.")
    return LockedFile(path=path, size=len(content), sha256=hashlib.sha256(content).hexdigest())


def _get(session: requests.Session, url: str) -> requests.Response:
    try:
        answer = session.get(url, timeout=TIMEOUT_S)
    except requests.RequestException as error:
        raise HubError(f"{url}: cannot be reached: {error}. Check studio.hub and the network.") from None
    if answer.status_code in (401, 403):
        raise HubError(f"{url}: {answer.status_code}. Set HF_TOKEN to a token that may read it.")
    if answer.status_code == 404:
        raise HubError(f"{url}: 404. Check the model's repo and revision.")
    if not answer.ok:
        raise HubError(f"{url}: {answer.status_code} {answer.reason}.")
    return answer


if __name__ == "__main__":
    main()

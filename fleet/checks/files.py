"""The files a site refers to: there, and saying what they should. Made by commands that the messages name."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fleet import hostkeys
from fleet.draft import Draft, Item
from fleet.locks import Lock, WrongLock
from fleet.mistakes import Report, near
from fleet.models import Model
from fleet.ssh_config import dial


def check(draft: Draft, known_hosts: Path, report: Report) -> dict[str, Lock]:
    """Report files that are missing or wrong. Returns the locks of the models in use, by model."""
    for key, file in _named_files(draft):
        if not file.is_file():
            report.add(key, f"is {near(file)}, and there is no such file.")
    _check_known_hosts(draft, known_hosts, report)
    used = {item.value.model for item in draft.projects}
    models = {item.value.name: item for item in reversed(draft.models) if item.value.name in used}
    locks = {name: _lock(item, report) for name, item in models.items()}
    return {name: lock for name, lock in locks.items() if lock}


def _named_files(draft: Draft) -> Iterator[tuple[str, Path]]:
    for key, member in draft.hosts:
        if member.ssh.key:
            yield f"{key}.ssh.key", member.ssh.key
    for item in (*draft.sign_on, *draft.issuers):
        if item.value.ca:
            yield f"{item.key}.ca", item.value.ca
    for section, names in {
        "acme": ("server_ca", "root"),
        "docker": ("apt_key",),
        "nvidia": NVIDIA_KEYS,
        "backup": ("ssh_key", "ssh_known_hosts", "ca"),
    }.items():
        for name in names:
            value: Any = getattr(draft.sections[section], name, None)
            if isinstance(value, Path) or (isinstance(value, str) and "://" not in value):
                yield f"{section}.{name}", Path(value).expanduser()


NVIDIA_KEYS = ("apt_key", "toolkit_key")


def _check_known_hosts(draft: Draft, file: Path, report: Report) -> None:
    remedy = f"Run make known-hosts INVENTORY={near(report.file)}, and compare the fingerprints."
    if not file.is_file():
        report.add("known_hosts", f"is {near(file)}, and there is no such file. {remedy}")
        return
    keys = hostkeys.parse(file.read_text(errors="replace"))
    for key, member in draft.hosts:
        if member.host and not hostkeys.of(keys, dial(member), member.ssh.port):
            report.add(f"{key}.host", f"is {member.host}, whose key is not in {near(file)}. {remedy}")


def _lock(item: Item[Model], report: Report) -> Lock | None:
    model, key = item.value, f"{item.key}.lock"
    command = f"make weights-lock INVENTORY={near(report.file)} MODEL={model.name}"
    if model.lock is None or not model.lock.is_file():
        report.add(key, f"is {near(model.lock)}, and there is no such file. Run {command}.")
        return None
    try:
        lock = Lock.read(model.lock)
    except WrongLock as error:
        report.add(key, f"is {near(model.lock)}, which {error}. Run {command} again.")
        return None
    if model.repo and lock.repo != model.repo:
        report.add(
            key, f"is {near(model.lock)}, which pins {lock.repo}, not {model.repo}. Run {command} again."
        )
    if len(model.revision) == 40 and lock.revision != model.revision:
        report.add(
            key,
            f"is {near(model.lock)}, which pins revision {lock.revision[:12]}, not {model.revision[:12]}. "
            f"Run {command} again.",
        )
    return lock

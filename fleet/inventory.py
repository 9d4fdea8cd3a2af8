"""From an inventory's dictionary to a Site, or to everything that is wrong with it."""

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fleet import secrets, ssh_config
from fleet.checks import check, files
from fleet.draft import Draft, read
from fleet.locks import Lock
from fleet.mistakes import Mistake, Report, WrongInventory, refuse
from fleet.models import Member, Model, Site

Group = tuple[list[tuple[str, dict[str, Any]]], dict[str, Any]]


@dataclass
class _Loading:
    """`load` is executing an inventory: `site` hands its result over instead of talking to pyinfra."""

    prepared: bool
    sites: list[Site] = field(default_factory=list)


_loading: ContextVar[_Loading | None] = ContextVar("loading", default=None)


def site(file: str, inventory: Mapping[str, Any]) -> tuple[Group, Group]:
    """The site of an inventory file, as pyinfra's groups `gateway, gpu = site(__file__, {…})`.

    Every host's data holds the whole `site`, its own `member`, and how to reach it. On any mistake all
    of them are printed and the process exits with 1, before a connection is made.
    """
    loading = _loading.get()
    if loading is not None:
        loading.sites.append(build(Path(file), inventory, loading.prepared))
        return ([], {}), ([], {})
    try:
        built = build(Path(file), inventory)
    except WrongInventory as error:
        refuse(error)
    config = ssh_config.write(built)
    gateway, *nodes = [(member.host, _data(built, member, config)) for member in built.members]
    return ([gateway], {}), (nodes, {})


def load(path: Path | str, prepared: bool = True) -> Site:
    """Execute an inventory file and return its site, without pyinfra.

    prepared: whether the files that commands make (host keys, weights locks, secrets) must be there;
        if not, a model's revision is the inventory's, not its lock's.
    Raises WrongInventory, or what the file itself raises.
    """
    path = Path(path)
    loading = _Loading(prepared)
    if not path.is_file():
        raise WrongInventory([Mistake(path, "file", "does not exist. Inventories are in inventory/.")])
    token = _loading.set(loading)
    try:
        exec(compile(path.read_text(), str(path), "exec"), {"__file__": str(path), "__name__": "inventory"})
    finally:
        _loading.reset(token)
    if len(loading.sites) != 1:
        calls = len(loading.sites)
        raise WrongInventory([Mistake(path, "site()", f"is called {calls} times. An inventory is one site.")])
    return loading.sites[0]


def load_or_exit(path: Path | str, prepared: bool = True) -> Site:
    """The site for a command: mistakes are shown, and end the process with 1."""
    try:
        return load(path, prepared)
    except WrongInventory as error:
        refuse(error)


def build(file: Path, inventory: object, prepared: bool = True) -> Site:
    """Check everything and put the Site together. Raises WrongInventory with every mistake."""
    report = Report(file)
    draft = read(inventory, report)
    check(draft, report)
    name = draft.head.name or file.stem
    known_hosts = draft.head.known_hosts or file.with_name(f"{name}.known_hosts")
    secrets_file = draft.head.secrets_file or file.with_name(f"{name}.secrets.toml")

    # Without `prepared` a missing file is no mistake; what is there is used all the same.
    aside = report if prepared else Report(file)
    locks = files.check(draft, known_hosts, aside)
    lists_read = not draft.incomplete & {"projects", "sign_on"}
    whole = lists_read and all(draft.sections[name] for name in ("acme", "traefik", "backup"))
    found = secrets.gather(_wanted_secrets(draft), whole, secrets_file, aside)
    if report.mistakes:
        raise WrongInventory(report.mistakes)
    return Site(
        name=name,
        file=file,
        domain=draft.head.domain,
        nodes=tuple(item.value for item in draft.nodes),
        projects=tuple(item.value for item in draft.projects),
        models=tuple(_pinned(item.value, locks if prepared else {}) for item in draft.models),
        sign_on=tuple(item.value for item in draft.sign_on),
        issuers=tuple(item.value for item in draft.issuers),
        known_hosts=known_hosts,
        secrets_file=secrets_file,
        secrets=found,  # pyright: ignore[reportArgumentType]  (pydantic wraps each one)
        **draft.sections,
    )


def _pinned(model: Model, locks: Mapping[str, Lock]) -> Model:
    lock = locks.get(model.name)
    return model.model_copy(update={"revision": lock.revision}) if lock else model


def _wanted_secrets(draft: Draft) -> list[secrets.Wanted]:
    # Whoever has no password here sets one by an invitation (ops/user.py).
    people = {user: item.key for item in reversed(draft.projects) for user in item.value.users}
    wanted = [secrets.Wanted("users", user, key, required=False) for user, key in sorted(people.items())]
    if traefik := draft.sections["traefik"]:
        wanted += [
            secrets.Wanted("dashboard", user, "traefik.dashboard_users") for user in traefik.dashboard_users
        ]
    if acme := draft.sections["acme"]:
        wanted += [secrets.Wanted("acme", name, "acme.dns_env", password=False) for name in acme.dns_env]
    if (backup := draft.sections["backup"]) and backup.repository:
        wanted += [
            secrets.Wanted("backup", "password", "backup.repository", password=False),
            *(secrets.Wanted("backup", name, "backup.env", password=False) for name in backup.env),
        ]
    wanted += [
        secrets.Wanted("sign_on", item.value.name, item.key, password=False)
        for item in draft.sign_on
        if item.value.name
    ]
    return wanted


def _data(site: Site, member: Member, config: Path) -> dict[str, Any]:
    """A host's data for pyinfra: it is told of users, ports, keys and jumps by ssh_config alone."""
    return {
        "site": site,
        "member": member,
        "ssh_config_file": str(config),
        "ssh_known_hosts_file": str(site.known_hosts.resolve()),
        "_sudo": member.ssh.user != "root",
    }

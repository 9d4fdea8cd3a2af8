"""An inventory as far as it could be read: each part on its own, so that one mistake hides no other.

Where a value is wrong it is reported and left out. What is left out of a draft is its default, or None
where there is none; the checks that follow look only at what is there.
"""

import copy
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

from pydantic import Field, ValidationError, create_model

from fleet import knobs
from fleet.catalogue import CATALOGUE
from fleet.mistakes import Report, guess
from fleet.models import Gateway, Issuer, Model, Node, Project, SignOn
from fleet.plain import sentence, shown
from fleet.quantities import Domain, File, Label

M = TypeVar("M", bound=knobs.Section)


class Head(knobs.Section):
    """The single values at the top of an inventory."""

    name: Label | None = Field(default=None, description="of the site; none: the inventory file's stem")
    domain: Domain = Field(description="where browsers find the site")
    known_hosts: File | None = Field(
        default=None, description="host keys; none: <site>.known_hosts beside the inventory"
    )
    secrets_file: File | None = Field(
        default=None, description="passwords; none: <site>.secrets.toml beside the inventory"
    )


SECTIONS: dict[str, type[knobs.Section]] = {
    "acme": knobs.Acme,
    "gateway": Gateway,
    "images": knobs.Images,
    "docker": knobs.Docker,
    "nvidia": knobs.Nvidia,
    "wireguard": knobs.Wireguard,
    "firewall": knobs.Firewall,
    "operators": knobs.Operators,
    "studio": knobs.Studio,
    "traefik": knobs.Traefik,
    "door": knobs.Door,
    "registry": knobs.Registry,
    "backup": knobs.Backup,
}
LISTS: dict[str, type[knobs.Section]] = {
    "nodes": Node,
    "projects": Project,
    "models": Model,
    "sign_on": SignOn,
    "issuers": Issuer,
}
KEYS = (*Head.model_fields, *SECTIONS, *LISTS)


@dataclass(frozen=True)
class Item(Generic[M]):
    """An entry of one of the inventory's lists: where it is, what could be read, what was written."""

    key: str
    value: M
    raw: Mapping[str, Any]


@dataclass(frozen=True)
class Draft:
    """What could be read of an inventory. A section is None where it is no group of keys at all.

    incomplete: of gateway and the lists those of which something could not be read.
    """

    head: Head
    sections: Mapping[str, Any]
    nodes: list[Item[Node]]
    projects: list[Item[Project]]
    models: list[Item[Model]]
    sign_on: list[Item[SignOn]]
    issuers: list[Item[Issuer]]
    incomplete: frozenset[str]

    @property
    def hosts(self) -> list[tuple[str, Gateway | Node]]:
        """Every host with its key, the gateway first."""
        gateway = self.sections["gateway"]
        own = [("gateway", gateway)] if gateway else []
        return [*own, *((item.key, item.value) for item in self.nodes)]


def read(raw: object, report: Report) -> Draft:
    """Read every part of an inventory's dictionary; what is wrong goes to the report."""
    if not isinstance(raw, Mapping):
        report.add("site()", f"was given {shown(raw)}, but wants a dictionary: site(__file__, {{…}}).")
        raw = {}
    for key in (key for key in raw if key not in KEYS):
        known = f"Known are {', '.join(KEYS)}."
        report.add(str(key), f"is not a key that exists here. {guess(key, KEYS, known)}")
    head = part(Head, {key: raw[key] for key in Head.model_fields if key in raw}, "", report)
    sections = {key: part(model, raw.get(key, {}), key, report) for key, model in SECTIONS.items()}
    nodes = _items(Node, "nodes", "host", raw, report)
    projects = _items(Project, "projects", "name", raw, report)
    models = _items(Model, "models", "name", raw, report)
    sign_on = _items(SignOn, "sign_on", "name", raw, report)
    issuers = _items(Issuer, "issuers", "name", raw, report)
    gateway: Any = sections["gateway"]
    lost = {
        "gateway": gateway is None or gateway.host is None,
        "nodes": _lost(raw.get("nodes", []), [item.value.host for item in nodes]),
        "projects": _lost(raw.get("projects", []), list(map(_who_enters, projects))),
        "models": _lost(raw.get("models", []), [item.value.name for item in models]),
        "sign_on": _lost(raw.get("sign_on", []), [item.value.name for item in sign_on]),
        "issuers": _lost(raw.get("issuers", []), [item.value.name for item in issuers]),
    }
    return Draft(
        head=head or lenient(Head).model_validate({}),
        sections=sections,
        nodes=nodes,
        projects=projects,
        models=[*models, *_catalogue(except_for={item.value.name for item in models})],
        sign_on=sign_on,
        issuers=issuers,
        incomplete=frozenset(key for key, is_lost in lost.items() if is_lost),
    )


def _who_enters(item: Item[Project]) -> str | None:
    """The project's name, if its users could be read: a list with a wrong entry was left out of the draft."""
    written = item.raw.get("users", [])
    return item.value.name if list(item.value.users) == written or not written else None


def _lost(entries: object, names: Sequence[object]) -> bool:
    """Whether an entry is missing, or its name is, so that "there is no such" would be a rash word."""
    return not isinstance(entries, (list, tuple)) or len(entries) > len(names) or None in names


def part(model: type[M], raw: object, key: str, report: Report) -> M | None:
    """Read one group of keys; where some are wrong, the rest of them. None if it is no group of keys."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        errors = error.errors()
    places = {one["loc"] for one in errors}
    for one in errors:
        # A list with a wrong item is also "too short" for pydantic; the item says it all.
        if not any(place[: len(one["loc"])] == one["loc"] != place for place in places):
            report.add(_dotted(key, one["loc"]), sentence(model, one))
    if not isinstance(raw, Mapping):
        return None
    return lenient(model).model_validate(_without(raw, places))


def _without(raw: Mapping[str, Any], places: Iterable[tuple[int | str, ...]]) -> dict[str, Any]:
    """A copy that lacks the keys at these places; of a list with a wrong item, the whole list."""
    rest = copy.deepcopy(dict(raw))
    for place in places:
        group: Any = rest
        keys = list(itertools.takewhile(lambda step: isinstance(step, str), place))
        for step in keys[:-1]:
            group = group.get(step, {})
        if keys:
            group.pop(keys[-1], None)
    return rest


@cache
def lenient(model: type[M]) -> type[M]:
    """The model with None as the default of what it requires."""
    optional: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        if field.is_required():
            without = copy.copy(field)
            without.default = None
            optional[name] = (field.annotation, without)
    return create_model(f"{model.__name__}Draft", __base__=model, **optional)


def _items(model: type[M], key: str, name: str, raw: Mapping[str, Any], report: Report) -> list[Item[M]]:
    entries = raw.get(key, [])
    if not isinstance(entries, (list, tuple)):
        report.add(key, f"is {shown(entries)}, but must be a list of groups of keys, [{{…}}, {{…}}].")
        return []
    items: list[Item[M]] = []
    for place, entry in enumerate(entries):
        where = _place(key, place, entry, name, {item.key for item in items})
        value = part(model, entry, where, report)
        if value is not None:
            items.append(Item(where, value, entry))
    return items


def _place(key: str, place: int, entry: object, name: str, taken: set[str]) -> str:
    """`projects.podcast` where the name tells entries apart, else `projects[2]`."""
    own = entry.get(name) if isinstance(entry, Mapping) else None
    named = f"{key}.{own}"
    return named if isinstance(own, str) and own and named not in taken else f"{key}[{place}]"


def _catalogue(except_for: set[str]) -> list[Item[Model]]:
    entries = (entry for entry in CATALOGUE if entry["name"] not in except_for)
    return [Item(f"models.{entry['name']}", Model.model_validate(entry), entry) for entry in entries]


def _dotted(key: str, loc: tuple[int | str, ...]) -> str:
    path = key
    for step in loc:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else step
    return path or key

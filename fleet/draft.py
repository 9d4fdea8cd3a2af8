"""An inventory as far as it could be read: each part on its own, so that one mistake hides no other.

Where a value is wrong it is reported and left out. What is left out of a draft is its default, or None
where there is none; the checks that follow look only at what is there.
"""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

from pydantic import Field, ValidationError, create_model

from fleet import knobs
from fleet.catalogue import CATALOGUE
from fleet.mistakes import Report, guess
from fleet.models import Gateway, Model, Node, Project
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
    "studio": knobs.Studio,
    "traefik": knobs.Traefik,
    "registry": knobs.Registry,
}
LISTS = ("nodes", "projects", "models")
KEYS = (*Head.model_fields, *SECTIONS, *LISTS)


@dataclass(frozen=True)
class Item(Generic[M]):
    """An entry of one of the inventory's lists: where it is, what could be read, what was written."""

    key: str
    value: M
    raw: Mapping[str, Any]


@dataclass(frozen=True)
class Draft:
    """What could be read of an inventory. A section is None where it is no group of keys at all."""

    head: Head
    sections: Mapping[str, Any]
    nodes: list[Item[Node]]
    projects: list[Item[Project]]
    models: list[Item[Model]]

    @property
    def hosts(self) -> list[tuple[str, Gateway | Node]]:
        """Every host with its key, the gateway first."""
        gateway = self.sections["gateway"]
        own = [("gateway", gateway)] if gateway else []
        return [*own, *((item.key, item.value) for item in self.nodes)]


def read(raw: object, report: Report) -> Draft:
    """Read every part of an inventory's dictionary; what is wrong goes to the report."""
    if not isinstance(raw, Mapping):
        report.add(
            "site()", f"was given {shown(raw)}; it wants the file and a dictionary: site(__file__, {{…}})."
        )
        raw = {}
    for key in (key for key in raw if key not in KEYS):
        known = f"Known are {', '.join(KEYS)}."
        report.add(str(key), f"is not a key that exists here. {guess(key, KEYS, known)}")
    head = part(Head, {key: raw[key] for key in Head.model_fields if key in raw}, "", report)
    models = _items(Model, "models", "name", raw, report)
    return Draft(
        head=head or lenient(Head).model_validate({}),
        sections={key: part(model, raw.get(key, {}), key, report) for key, model in SECTIONS.items()},
        nodes=_items(Node, "nodes", "host", raw, report),
        projects=_items(Project, "projects", "name", raw, report),
        models=[*models, *_catalogue(except_for={item.value.name for item in models})],
    )


def part(model: type[M], raw: object, key: str, report: Report) -> M | None:
    """Read one group of keys; where some are wrong, the rest of them. None if it is no group of keys."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        errors = error.errors()
    for one in errors:
        report.add(_dotted(key, one["loc"]), sentence(model, one))
    if not isinstance(raw, Mapping):
        return None
    wrong = {one["loc"][0] for one in errors if one["loc"]}
    return lenient(model).model_validate({key: value for key, value in raw.items() if key not in wrong})


@cache
def lenient(model: type[M]) -> type[M]:
    """The model with None as the default of what it requires."""
    optional: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        if field.is_required():
            without = copy(field)
            without.default = None
            optional[name] = (field.annotation, without)
    return create_model(f"{model.__name__}Draft", __base__=model, **optional)


def _items(model: type[M], key: str, name: str, raw: Mapping[str, Any], report: Report) -> list[Item[M]]:
    entries = raw.get(key, [])
    if not isinstance(entries, (list, tuple)):
        report.add(
            key, f"is {shown(entries)}, but must be a list, so that nothing can be in it twice unseen."
        )
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

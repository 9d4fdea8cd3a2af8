"""Projects: a name that can be a URL, a node that has the GPUs, a model that fits them."""

import re
from collections.abc import Iterable

from fleet.draft import Draft, Item
from fleet.mistakes import Report, counted, guess, listed
from fleet.models import Model, Node, Project
from fleet.names import RESERVED
from fleet.quantities import LABEL, show_size

LONGEST_NAME = 30
MODEL_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?")


def check(draft: Draft, report: Report) -> None:
    """Report what is wrong with projects, and with the models they name."""
    nodes: dict[str, Item[Node]] = {}
    for item in draft.nodes:
        if item.value.host:
            nodes.setdefault(item.value.host, item)
    models = {item.value.name: item.value for item in draft.models if item.value.name}
    gateway = draft.sections["gateway"]
    _check_twice(draft.projects, "project", report)
    _check_twice(draft.models, "model", report)
    for item in draft.models:
        if item.value.name and not MODEL_NAME.fullmatch(item.value.name):
            words = (
                f'is "{item.value.name}", but small letters, digits, and . _ - inside are all it may have.'
            )
            report.add(f"{item.key}.name", words)
    for item in draft.projects:
        _check_name(item, report)
        _check_gpus_or_slots(item, report)
        if not draft.incomplete & {"gateway", "nodes"}:
            _check_node(item, nodes, gateway.host, report)
        if "models" not in draft.incomplete:
            _check_model_is_known(item, models, report)
        _check_model_fits(item, models, nodes, report)
    for host, node in nodes.items():
        _check_room(node, [item for item in draft.projects if item.value.node == host], report)


def _check_twice(items: Iterable[Item[Project]] | Iterable[Item[Model]], noun: str, report: Report) -> None:
    first: dict[str, str] = {}
    for item in items:
        name = item.value.name
        if name and first.setdefault(name, item.key) != item.key:
            report.add(f"{item.key}.name", f'is "{name}", but another {noun} has that name. Rename one.')


def _check_name(item: Item[Project], report: Report) -> None:
    name, key = item.value.name, f"{item.key}.name"
    if name is None:
        return
    if not LABEL.fullmatch(name):
        report.add(key, f'is "{name}", which is no label of a URL: small letters, digits, hyphens inside.')
    elif len(name) > LONGEST_NAME:
        report.add(key, f'is "{name}", {len(name)} characters long; {LONGEST_NAME} are the most.')
    elif name in RESERVED:
        report.add(key, f'is "{name}", which the site keeps for itself. Choose another.')


def _check_gpus_or_slots(item: Item[Project], report: Report) -> None:
    if "gpus" in item.raw and "slots" in item.raw:
        report.add(item.key, "has both gpus and slots. Keep slots to choose the GPUs, else gpus.")


def _check_node(item: Item[Project], nodes: dict[str, Item[Node]], gateway: str, report: Report) -> None:
    host, key = item.value.node, f"{item.key}.node"
    if host is None or host in nodes:
        return
    if host == gateway:
        report.add(key, f"is {host}, the gateway, which holds no studios. Name one of the nodes.")
    else:
        hint = guess(host, nodes, f"Nodes are {', '.join(nodes) or 'none'}.")
        report.add(key, f"is {host}, which is no node. {hint}")


def _check_model_is_known(item: Item[Project], models: dict[str, Model], report: Report) -> None:
    name = item.value.model
    if name is not None and name not in models:
        known = f"Known are {listed(models)}; others go into models."
        report.add(f"{item.key}.model", f'is "{name}", which is no model. {known}')


def _check_model_fits(
    item: Item[Project], models: dict[str, Model], nodes: dict[str, Item[Node]], report: Report
) -> None:
    model, node = models.get(item.value.model), nodes.get(item.value.node)
    if model is None or node is None or not model.memory or not node.value.gpu_memory:
        return
    if model.memory > node.value.gpu_memory:
        report.add(
            f"{item.key}.model",
            f'is "{model.name}", which needs {show_size(model.memory)}, but a GPU of {node.value.host} has '
            f"{show_size(node.value.gpu_memory)}. Take a smaller model, or another node.",
        )


def _check_room(node: Item[Node], projects: list[Item[Project]], report: Report) -> None:
    """Slots that are named are taken first, whatever the order; the rest is left for the others."""
    gpus, host = node.value.gpus, node.value.host
    if gpus is None:
        return
    holders: dict[str, int] = {}
    taken: dict[int, str] = {}
    for item in projects:
        if item.value.slots:
            _take_slots(item, taken, gpus, host, report)
            holders[item.key] = len(set(item.value.slots))
    for item in projects:
        if not item.value.slots and item.value.gpus:
            _take_gpus(item, holders, gpus, host, report)


def _take_slots(item: Item[Project], taken: dict[int, str], gpus: int, host: str, report: Report) -> None:
    key, slots = f"{item.key}.slots", item.value.slots
    if len(set(slots)) < len(slots):
        report.add(key, f"is {list(slots)}, which names a slot twice.")
    outside = sorted({slot for slot in slots if slot >= gpus})
    if outside:
        report.add(key, f"has {listed(map(str, outside))}, but the slots of {host} are 0 to {gpus - 1}.")
    for slot in sorted(set(slots) - set(outside)):
        other = taken.setdefault(slot, item.key)
        if other != item.key:
            report.add(key, f"has {slot}, which {_short(other)} has too. Choose another slot of {host}.")


def _take_gpus(item: Item[Project], holders: dict[str, int], gpus: int, host: str, report: Report) -> None:
    wanted, left = item.value.gpus, max(gpus - sum(holders.values()), 0)
    if wanted <= left:
        holders[item.key] = wanted
        return
    others = "".join(f", {_short(key)} holds {number}" for key, number in holders.items())
    verb = "is" if left == 1 else "are"
    report.add(
        f"{item.key}.gpus",
        f"is {wanted}, but only {counted(left, 'GPU')} {verb} left ({host} has {gpus}{others}). "
        "Lower it, or add a GPU host.",
    )


def _short(key: str) -> str:
    return key.partition(".")[2] or key

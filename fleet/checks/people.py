"""People: those whom projects name, and the providers that vouch for others."""

import re
from collections.abc import Collection

from fleet.draft import Draft, Item
from fleet.mistakes import Report, guess, listed
from fleet.models import Issuer, Project, SignOn
from fleet.quantities import LABEL

USER = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,30}[A-Za-z0-9])?")
LONGEST_PROVIDER = 20

Provider = Item[SignOn] | Item[Issuer]


def check(draft: Draft, report: Report) -> None:
    """Report people and groups that cannot be meant, and providers that are named badly."""
    providers: list[Provider] = [*draft.sign_on, *draft.issuers]
    _check_providers(providers, report)
    complete = not draft.incomplete & {"sign_on", "issuers"}
    known = [item.value.name for item in providers if item.value.name]
    for item in draft.projects:
        _check_users(item, report)
        _check_groups(item, known if complete else None, report)
        if not item.raw.get("users") and not item.raw.get("groups"):
            report.add(
                f"{item.key}.users", "is empty, so nobody could log in. Name at least one user, or groups."
            )
    for item in draft.sign_on:
        if item.value.scopes and "openid" not in item.value.scopes:
            report.add(f"{item.key}.scopes", 'lacks "openid", without which no provider says who it is.')


def _check_providers(providers: list[Provider], report: Report) -> None:
    """One name, one provider: it is the first half of its people's and groups' names."""
    first: dict[str, str] = {}
    for item in providers:
        name = item.value.name
        if not name:
            continue
        if not LABEL.fullmatch(name) or len(name) > LONGEST_PROVIDER:
            report.add(
                f"{item.key}.name",
                f'is "{name}", but small letters, digits and hyphens inside, at most {LONGEST_PROVIDER}, '
                "are all it may have.",
            )
        if first.setdefault(name, item.key) != item.key:
            report.add(f"{item.key}.name", f'is "{name}", but {first[name]} has that name. Rename one.')


def _check_users(item: Item[Project], report: Report) -> None:
    users = item.value.users
    _check_once(f"{item.key}.users", users, report)
    for user in dict.fromkeys(users):
        if not USER.fullmatch(user):
            report.add(
                f"{item.key}.users",
                f'has "{user}", which cannot be a login: letters and digits, . _ - inside, at most 32.',
            )


def _check_groups(item: Item[Project], providers: Collection[str] | None, report: Report) -> None:
    """providers: names of those there are; None where some could not be read."""
    _check_once(f"{item.key}.groups", item.value.groups, report)
    for group in dict.fromkeys(item.value.groups):
        provider, colon, name = group.partition(":")
        if not colon or not name:
            words = 'which does not say whose group it is. Write "<sign_on or issuer>:<group>".'
            report.add(f"{item.key}.groups", f'has "{group}", {words}')
        elif providers is not None and provider not in providers:
            known = f"Known are {listed(providers)}." if providers else "Add it to sign_on or issuers."
            report.add(
                f"{item.key}.groups",
                f'has "{group}", but there is no provider {provider}. {guess(provider, providers, known)}',
            )


def _check_once(key: str, names: tuple[str, ...], report: Report) -> None:
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            report.add(key, f'has "{name}" {names.count(name)} times. Once is enough.')

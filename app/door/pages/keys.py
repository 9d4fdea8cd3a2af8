"""A person's API keys: made, shown once, listed, revoked."""

from datetime import UTC, datetime

from starlette.responses import Response
from starlette.routing import Route

from ..desk import Desk
from ..people import Key, KeyRefused
from .endpoint import Fields, Page
from .visit import Visit

KEYS = "/vibevoice/door/keys"
REVOKE = f"{KEYS}/revoke"
DEFAULT_DAYS = 90
MAX_NAME_CHARS = 60
# Why the core refuses a key, in the pages' words.
REFUSALS = {
    "project": "keys_bad_project",
    "name": "keys_bad_name",
    "days": "keys_bad_days",
    "many": "keys_many",
}


def routes(desk: Desk) -> list[Route]:
    """The page of keys and its two forms."""
    return [
        Route(KEYS, Page(desk, get=keys, post=create, member=True)),
        Route(REVOKE, Page(desk, get=back, post=revoke, member=True)),
    ]


async def keys(visit: Visit) -> Response:
    note = visit.request.query_params.get("note")
    return _page(visit, note={"revoked": "keys_revoked", "gone": "keys_gone"}.get(note or ""))


async def back(visit: Visit) -> Response:
    """Where the login page leads whose session ended before they revoked a key."""
    return visit.go(KEYS)


async def create(visit: Visit, fields: Fields) -> Response:
    assert visit.person
    name, chosen = " ".join(fields.get("name", "").split()), fields.get("project", "")
    given = {"name": name, "project": chosen, "days": fields.get("days", "").strip()}
    project = next((own for own in visit.desk.projects_of(visit.person) if own.name == chosen), None)
    days = int(given["days"]) if given["days"].isascii() and given["days"].isdecimal() else 0
    if not 0 < len(name) <= MAX_NAME_CHARS or not name.isprintable():
        return _page(visit, 400, error="keys_bad_name", given=given)
    if project is None:
        return _page(visit, 400, error="keys_bad_project", given=given)
    if not 1 <= days <= _most_days(visit):
        return _page(visit, 400, error="keys_bad_days", given=given)
    try:
        secret = visit.desk.create_key(visit.person, project, name, days)
    except KeyRefused as refused:
        return _page(visit, 400, error=REFUSALS.get(refused.reason, "keys_many"), given=given)
    # "vv_<id>_<secret>". Nobody sees a key that is not in the audit log.
    _record(visit, "key_created", project=project.name, key=secret.split("_")[1])
    base_url = f"https://{visit.desk.config.domain}/vibevoice/{project.name}/v1"
    # No switch of language: it would load the page anew, without the key.
    return visit.page(
        "key_made.html", switch=False, secret=secret, name=name, project=project.name, base_url=base_url
    )


async def revoke(visit: Visit, fields: Fields) -> Response:
    assert visit.person
    key = fields.get("key", "")
    if not visit.desk.revoke_key(visit.person, key):
        return visit.go(f"{KEYS}?note=gone")
    _record(visit, "key_revoked", key=key)
    return visit.go(f"{KEYS}?note=revoked")


def _record(visit: Visit, event: str, **fields: str) -> None:
    assert visit.person
    visit.desk.audit.write(event, user=visit.person.name, address=visit.address, via="session", **fields)


def _page(
    visit: Visit,
    status: int = 200,
    *,
    note: str | None = None,
    error: str = "",
    given: dict[str, str] | None = None,
) -> Response:
    assert visit.person
    most = _most_days(visit)
    return visit.page(
        "keys.html",
        status,
        rows=[_row(key) for key in visit.desk.keys_of(visit.person)],
        projects=sorted(project.name for project in visit.desk.projects_of(visit.person)),
        note=note,
        error=error,
        given=given or {"name": "", "project": "", "days": str(min(DEFAULT_DAYS, most))},
        most=most,
    )


def _most_days(visit: Visit) -> int:
    return max(1, int(visit.desk.config.key_days))


def _row(key: Key) -> dict[str, object]:
    return {
        "id": key.id,
        "name": key.name,
        "project": key.project,
        "created": _day(key.created),
        "expires": _day(key.expires),
        "expired": datetime.now(UTC).timestamp() >= key.expires,
        "used": _minute(key.last_used) if key.last_used is not None else None,
    }


def _day(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d")


def _minute(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M UTC")

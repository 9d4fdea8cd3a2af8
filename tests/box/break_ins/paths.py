"""Paths that lead somewhere else than they seem to.

Each is tried twice: by li, who may open podcast, towards debate; and by nobody, through the login page, which
is open to all, towards podcast.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.box.break_ins.honest import PAGE
from tests.box.break_ins.judge import Control, Try
from tests.box.break_ins.world import World, studio
from tests.box.raw import Exchange

GROUP, PAGES = "paths", "pages"
READY = b"/health/ready"
# What becomes of a path, and the answers to li and to nobody.
# Cleaned into the goal's own path, whose door refuses: li is known there, nobody is not.
CLEANED = 403, 401
# No path at all.
MALFORMED = 400, 400
# Below a project, the gateway takes no encoded separators; elsewhere nothing has such a path.
ENCODED = 400, 404
# Nothing has this path.
UNKNOWN = 404, 404
# Below podcast it is a path of podcast's own studio, however it looks.
OWN = None, 404
_OWN = frozenset({200, 404})
Fate = tuple[int | None, int]
# %(own)s: where one may be; %(goal)s: where one may not.
TEMPLATES: dict[str, tuple[bytes, Fate]] = {
    "dots": (b"/vibevoice/%(own)s/../%(goal)s", CLEANED),
    "dots with both encoded": (b"/vibevoice/%(own)s/%%2e%%2e/%(goal)s", CLEANED),
    "dots with both encoded in capitals": (b"/vibevoice/%(own)s/%%2E%%2E/%(goal)s", CLEANED),
    "dots with the second encoded": (b"/vibevoice/%(own)s/.%%2e/%(goal)s", CLEANED),
    "dots with the first encoded": (b"/vibevoice/%(own)s/%%2e./%(goal)s", CLEANED),
    "dots with a dot": (b"/vibevoice/%(own)s/./../%(goal)s", CLEANED),
    "dots and back": (b"/vibevoice/%(own)s/x/y/../../../%(goal)s", CLEANED),
    "dots above the root": (b"/../../../vibevoice/%(goal)s", CLEANED),
    "two slashes within": (b"/vibevoice//%(goal)s", CLEANED),
    "two slashes at the start": (b"//vibevoice/%(goal)s", CLEANED),
    "three slashes at the start": (b"///vibevoice/%(goal)s", CLEANED),
    "a dot within": (b"/vibevoice/./%(goal)s", CLEANED),
    "two slashes before dots": (b"/vibevoice/%(own)s//..//../%(goal)s", UNKNOWN),
    "dots and an encoded slash": (b"/vibevoice/%(own)s/..%%2f%(goal)s", ENCODED),
    "encoded dots and slash": (b"/vibevoice/%(own)s/%%2e%%2e%%2f%(goal)s", ENCODED),
    "an encoded slash in capitals": (b"/vibevoice%%2F%(goal)s", UNKNOWN),
    "dots and an encoded backslash": (b"/vibevoice/%(own)s/..%%5c%(goal)s", ENCODED),
    "dots and a backslash": (b"/vibevoice/%(own)s/..\\%(goal)s", ENCODED),
    "a backslash at the start": (b"\\vibevoice\\%(goal)s", MALFORMED),
    "dots and a parameter": (b"/vibevoice/%(own)s/..;/%(goal)s", OWN),
    "dots and a parameter with a value": (b"/vibevoice/%(own)s/..;a=b/%(goal)s", OWN),
    "a parameter before dots": (b"/vibevoice/%(own)s;/../%(goal)s", CLEANED),
    "an encoded parameter": (b"/vibevoice/%(own)s/..%%3b/%(goal)s", ENCODED),
    "a parameter after the goal": (b"/vibevoice/%(goal)s;x=/%(own)s", UNKNOWN),
    "three dots": (b"/vibevoice/%(own)s/.../%(goal)s", OWN),
    "a dot after the goal": (b"/vibevoice/%(goal)s.", UNKNOWN),
    "an encoded dot after the goal": (b"/vibevoice/%(goal)s%%2e", UNKNOWN),
    "a zero byte after the goal": (b"/vibevoice/%(goal)s%%00", UNKNOWN),
    "a blank after the goal": (b"/vibevoice/%(goal)s%%20", UNKNOWN),
    "a line break after the goal": (b"/vibevoice/%(goal)s%%0d%%0a", UNKNOWN),
    "an encoded letter": (b"/vibevoice/%%%(hex)s", CLEANED),
    "an encoded letter, twice": (b"/vibevoice/%%25%(hex)s", UNKNOWN),
    "dots encoded twice": (b"/vibevoice/%(own)s/%%252e%%252e/%(goal)s", OWN),
    "a slash encoded twice": (b"/vibevoice/%(own)s/..%%252f%(goal)s", OWN),
    "dots as overlong UTF-8": (b"/vibevoice/%(own)s/%%c0%%ae%%c0%%ae/%(goal)s", OWN),
    "a slash as overlong UTF-8": (b"/vibevoice/%(own)s/..%%c0%%af%(goal)s", OWN),
    "dots of full width": (b"/vibevoice/%(own)s/%%ef%%bc%%8e%%ef%%bc%%8e/%(goal)s", OWN),
    "dots of IIS": (b"/vibevoice/%(own)s/%%u002e%%u002e/%(goal)s", MALFORMED),
    "a capital letter": (b"/vibevoice/%(capital)s", UNKNOWN),
    "capitals": (b"/VIBEVOICE/%(goal)s", UNKNOWN),
    "a fragment before dots": (b"/vibevoice/%(own)s/#/../../%(goal)s", MALFORMED),
    "a fragment after the goal": (b"/vibevoice/%(goal)s/health/ready#/vibevoice/%(own)s", MALFORMED),
    "a query after the goal": (b"/vibevoice/%(goal)s/health/ready?/../../%(own)s/", CLEANED),
    "no slash at the start": (b"vibevoice/%(goal)s", MALFORMED),
    "an asterisk before the path": (b"*/vibevoice/%(goal)s", MALFORMED),
    "half an encoding": (b"/vibevoice/%(goal)s%%2", MALFORMED),
    "a raw byte that is no UTF-8": (b"/vibevoice/%(own)s/\xae\xae/../../%(goal)s", CLEANED),
    "the domain in the path": (b"/studio/vibevoice/%(goal)s", UNKNOWN),
    "the goal below one's own": (b"/%(goal)s", UNKNOWN),
    "a longer name": (b"/vibevoice/%(goal)s0", UNKNOWN),
    "a longer name with a dash": (b"/vibevoice/%(goal)s-x", UNKNOWN),
    "a shorter name": (b"/vibevoice/%(short)s", UNKNOWN),
    "the health page, then dots": (b"/vibevoice/health/../%(goal)s", CLEANED),
    "the login page, then dots": (b"/vibevoice/login/../%(goal)s", CLEANED),
    "the login page, then encoded dots": (b"/vibevoice/login/%%2e%%2e/%(goal)s", CLEANED),
    "the door's folder, then dots": (b"/vibevoice/door/../%(goal)s", CLEANED),
    "the door's folder, then encoded dots": (b"/vibevoice/door/%%2e%%2e/%(goal)s", CLEANED),
    "sign-on, then dots": (b"/vibevoice/auth/x/../../%(goal)s", CLEANED),
    "the check itself": (b"/check/%(goal)s", UNKNOWN),
    "the check, by dots": (b"/vibevoice/door/../../check/%(goal)s", UNKNOWN),
}


def tries() -> Iterator[Try]:
    for name, (template, (of_li, of_nobody)) in TEMPLATES.items():
        path = _path(template, b"podcast", b"debate")
        if of_li is None:
            yield Try(GROUP, name, "li", _sender(path, "li"), _OWN, frozenset({"podcast"}))
        else:
            yield Try(GROUP, name, "li", _sender(path, "li"), frozenset({of_li}))
        path = _path(template, b"login", b"podcast")
        yield Try(GROUP, name, "nobody", _sender(path, "nobody"), frozenset({of_nobody}))
    yield from _as_pages()
    yield from _inside()


def _as_pages() -> Iterator[Try]:
    """What leads to the goal's own door, as a browser asks: the gateway has routes of their own for these."""
    for name, (template, fate) in TEMPLATES.items():
        if fate == CLEANED:
            for who, own, goal, status in (
                ("li", b"podcast", b"debate", 403),
                ("nobody", b"login", b"podcast", 303),
            ):
                act = _sender(_path(template, own, goal), who, PAGE)
                yield Try(PAGES, name, who, act, frozenset({status}))


def _path(template: bytes, own: bytes, goal: bytes) -> bytes:
    values = {
        b"own": own,
        b"goal": goal,
        b"hex": b"%x" % goal[0] + goal[1:],
        b"capital": goal.capitalize(),
        b"short": goal[:-1],
    }
    path = template % values
    return path if READY in path else path + READY


def _sender(path: bytes, who: str, *lines: bytes) -> Callable[[World], Exchange]:
    def act(world: World) -> Exchange:
        return world.send(world.ask(path, *lines, who=None if who == "nobody" else who))

    return act


def _inside() -> Iterator[Try]:
    """Names of what is behind the gateway, asked for from before it."""
    for name, path, statuses in (
        ("the check below the site's path", b"/vibevoice/check/debate", {404}),
        ("the check with a query", b"/check/debate?x=/vibevoice/", {404}),
        ("the check of nothing", b"/check/", {404}),
        ("the door's health", b"/health", {404}),
        ("the gateway's status", b"/api/http/routers", {404}),
        ("the gateway's raw data", b"/api/rawdata", {404}),
        ("the gateway's ping", b"/ping", {404}),
        ("the gateway's metrics", b"/metrics", {404}),
        ("the gateway's dashboard", b"/dashboard/", {404}),
        ("a studio's path without the project", b"/health/ready", {404}),
        ("a studio's speech without the project", b"/v1/audio/speech", {404}),
    ):
        for who in ("nobody", "li"):
            yield Try(GROUP, name, who, _sender(path, who), frozenset(statuses))

    def query(world: World) -> Exchange:
        return world.send(world.ask(b"/vibevoice/podcast/health/ready?/../../debate/health/ready", who="li"))

    yield Try(GROUP, "a query with dots stays a query", "li", query, frozenset({200}), frozenset({"podcast"}))


def controls() -> Iterator[Control]:
    for who, project in (("li", "podcast"), ("bo", "debate")):
        act = _sender(studio(project).encode(), who)
        yield Control(GROUP, f"{who}'s own project, by its honest path", project, who, act)
    page = _sender(studio("podcast").encode(), "li", PAGE)
    yield Control(PAGES, "li's own project, as a page", "podcast", "li", page)
    dots = _sender(b"/vibevoice/login/../podcast/x/../health/ready", "li")
    yield Control(GROUP, "dots that lead to one's own project", "podcast", "li", dots)

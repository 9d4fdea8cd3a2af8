"""One request to a page: who asks and in which language, and the answers it may get."""

import hashlib
import math
import secrets
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from .. import words
from ..cookies import PREFIX, setting, split
from ..desk import Desk
from ..next import LOGIN, PORTAL
from ..people import Person, Session

FORM_COOKIE = f"{PREFIX}form"
LANGUAGE_COOKIE = "vv_lang"
YEAR_S = 365 * 24 * 3600
FORM_S = 12 * 3600
# A page of a studio shares our origin: nothing may be framed, fetched or sent from there.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self' data:; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
}
FOLDER = Path(__file__).parents[1]
STYLE = (FOLDER / "static" / "style.css").read_bytes()
STYLE_ADDRESS = f"/vibevoice/door/style.css?v={hashlib.sha256(STYLE).hexdigest()[:8]}"
_templates = jinja2.Environment(
    loader=jinja2.FileSystemLoader(FOLDER / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class Refusal(Exception):
    """The request gets a page that says why not: the texts `<key>_title` and `<key>`."""

    def __init__(self, status: int, key: str) -> None:
        super().__init__(key)
        self.status, self.key = status, key


class Visit:
    """One request, for as long as it takes to answer it."""

    def __init__(self, desk: Desk, request: Request) -> None:
        self.desk, self.request = desk, request
        self.cookies = "; ".join(request.headers.getlist("cookie"))
        self._own = split(self.cookies.encode("latin-1")).own
        self._set: list[str] = []
        # Until it is certain that a browser's window asked: what a script may read holds no form's token.
        self.anonymous = True

    @cached_property
    def address(self) -> str:
        """The client's, as our own proxy says: it alone can reach the door."""
        forwarded = self.request.headers.get("x-forwarded-for", "").split(",")[0].strip()
        return forwarded or (self.request.client.host if self.request.client else "")

    @property
    def session(self) -> Session | None:
        return None if self.anonymous else self._session

    @cached_property
    def _session(self) -> Session | None:
        return self.desk.session(self.cookies)

    @property
    def person(self) -> Person | None:
        return self.session.person if self.session else None

    @cached_property
    def language(self) -> str:
        """What was asked for in the address, else chosen before, else the browser's."""
        asked = self.request.query_params.get("lang", "")
        if asked in words.LANGUAGES:
            self.set_cookie(
                f"{LANGUAGE_COOKIE}={asked}; Max-Age={YEAR_S}; Path=/vibevoice; Secure; SameSite=Lax"
            )
            return asked
        return _chosen(self.cookies) or words.preferred(self.request.headers.get("accept-language", ""))

    def own_cookie(self, name: str) -> str:
        """The value of one of the door's cookies, empty if it is missing or came twice."""
        return self._own.get(name, "")

    def set_cookie(self, header: str) -> None:
        """Add a Set-Cookie header to whatever the answer will be."""
        self._set.append(header)

    @cached_property
    def binding(self) -> str:
        """What this visitor's forms are bound to: the session, or before there is one a cookie of its own."""
        if self.session:
            return f"session:{self.session.id_hash.hex()}"
        return f"form:{cookie}" if (cookie := self.own_cookie(FORM_COOKIE)) else ""

    def form_token(self) -> str:
        """A token for a form on the page being made."""
        if not self.binding:
            value = secrets.token_urlsafe(32)
            self.set_cookie(setting(FORM_COOKIE, value, FORM_S))
            self.binding = f"form:{value}"
        return self.desk.forms.issue(self.binding)

    def page(
        self,
        template: str,
        status: int = 200,
        headers: dict[str, str] | None = None,
        *,
        switch: bool = True,
        **values: Any,
    ) -> Response:
        """A page made of a template; its texts come by `say(key, …)`.

        `switch`: whether the page can be had in another language, by a GET of its address.
        """
        languages = self.languages() if switch else []
        context = {"person": self.person, "form_token": self.form_token, "languages": languages, **values}
        html = render(template, self.language, **context)
        return self._finish(HTMLResponse(html, status, headers={**HEADERS, **(headers or {})}))

    def go(self, where: str) -> Response:
        """On to another page, by GET."""
        return self._finish(RedirectResponse(where, 303, headers=HEADERS))

    def refusal(self, status: int, key: str, headers: dict[str, str] | None = None) -> Response:
        """A page that says why not: the texts `<key>_title` and `<key>`."""
        return self.message(status, f"{key}_title", key, headers=headers)

    def message(
        self,
        status: int,
        title: str,
        text: str,
        *,
        retry: str | None = None,
        switch: bool = True,
        headers: dict[str, str] | None = None,
        **values: object,
    ) -> Response:
        """A page that says one thing. `title`, `text`: keys of texts; `retry`: an address to try again."""
        return self.page(
            "message.html",
            status,
            headers,
            switch=switch,
            title=words.say(self.language, title, **values),
            text=words.say(self.language, text, **values),
            project="",
            links=([(retry, "try_again")] if retry else [])
            + [(PORTAL, "back_to_portal") if self.person else (LOGIN, "back_to_login")],
        )

    def _finish(self, response: Response) -> Response:
        for header in self._set:
            response.headers.append("Set-Cookie", header)
        return response

    def languages(
        self, address: str = "", query: list[tuple[str, str]] | None = None
    ) -> list[dict[str, Any]]:
        """The switch: an address in each language; this page's own unless another one is given.

        After a POST that is the page's GET.
        """
        kept = self.request.query_params.multi_items() if query is None else query
        kept = [(key, value) for key, value in kept if key != "lang"]
        return [
            {
                "tag": words.TAGS[code],
                "name": name,
                "here": code == self.language,
                "href": f"{address}?{urlencode([*kept, ('lang', code)])}",
            }
            for code, name in words.NAMES.items()
        ]


def render(template: str, language: str, **context: Any) -> str:
    """The HTML of a template in a language."""

    def say(key: str, **values: object) -> str:
        return words.say(language, key, **values)

    return _templates.get_template(template).render(
        say=say, tag=words.TAGS[language], style=STYLE_ADDRESS, **context
    )


def seconds(duration_s: float) -> int:
    """A duration for people and Retry-After: whole seconds, at least one, never too few."""
    return max(1, math.ceil(duration_s))


def _chosen(cookies: str) -> str | None:
    for part in cookies.split(";"):
        name, _, value = part.strip().partition("=")
        if name == LANGUAGE_COOKIE and value in words.LANGUAGES:
            return value
    return None

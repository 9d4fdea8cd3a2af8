"""The door's pages as a browser sees them: real desk, files and application; only the socket is left out."""

import asyncio
import html
import json
import re
from pathlib import Path
from typing import Any, Self

import argon2
import httpx
from door.app import application
from door.desk import Desk
from starlette.types import ASGIApp

DOMAIN = "studio.lab.test"
ORIGIN = f"https://{DOMAIN}"
ANA, LI = "correct horse battery", "stapler of paper clips"
# As cheap as argon2 can be: how long a hash takes is not what these tests are about.
_cheap = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
USERS = {"ana": _cheap.hash(ANA), "li": _cheap.hash(LI), "new": None}
LIMITS = {"requests_per_s": 100, "streams": 32, "upload_bytes": 104857600, "minutes_per_day": None}
BROWSER = {"accept": "text/html,*/*;q=0.8", "accept-language": "en", "sec-fetch-dest": "document"}


def project(
    name: str, users: list[str], groups: list[str], node_url: str = "http://127.0.0.1:9"
) -> dict[str, Any]:
    return {"name": name, "users": users, "groups": groups, "node_url": node_url, "limits": LIMITS}


def provider_settings(issuer: str = "http://127.0.0.1:9", **changes: Any) -> dict[str, Any]:
    """The sign-on provider "corp"; nobody is at home at its address unless told."""
    return {
        "name": "corp",
        "label": "Company login",
        "issuer": issuer,
        "client_id": "door",
        "client_secret": "provider's secret",
        "scopes": ["openid", "profile", "email"],
        "user_claim": "email",
        "group_claim": "groups",
        "ca": None,
        **changes,
    }


def site(**changes: Any) -> dict[str, Any]:
    """A site of two projects and a sign-on provider; changes replace its keys."""
    return {
        "site": "lab",
        "domain": DOMAIN,
        "users": USERS,
        "projects": [
            project("podcast", ["ana", "li"], ["corp:podcast-team"]),
            project("debate", ["ana"], []),
        ],
        "sign_on": [provider_settings()],
        **changes,
    }


class Site:
    """A door on a folder, with the configuration file beside it."""

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        self._path, self.data = folder / "site.json", folder / "data"
        self.configure(config)
        self.desk = Desk(self._path, self.data)
        self.app: ASGIApp = application(self.desk)

    @classmethod
    def beside(cls, other: "Site") -> "Site":
        """The other one of the two doors: a process of its own on the same folder."""
        made = cls.__new__(cls)
        made._path, made.data = other._path, other.data
        made.desk = Desk(made._path, made.data)
        made.app = application(made.desk)
        return made

    def configure(self, config: dict[str, Any]) -> None:
        """Replace the file, as the deploy does."""
        draft = self._path.with_suffix(".new")
        draft.write_text(json.dumps(config))
        draft.rename(self._path)

    def audited(self, event: str) -> list[dict[str, Any]]:
        """The audit log's lines of an event, oldest first."""
        lines = [line for file in sorted((self.data / "audit").iterdir()) for line in file.open()]
        return [line for line in map(json.loads, lines) if line["event"] == event]


class Browser:
    """One browser: keeps cookies, follows no redirect unless told, and says where its forms come from."""

    def __init__(self, app: ASGIApp, address: str = "192.0.2.7", **headers: str) -> None:
        self._runner = asyncio.Runner()
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=True, client=("127.0.0.1", 1)),
            base_url=ORIGIN,
            headers={**BROWSER, "x-forwarded-for": address, **headers},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._client.aclose())
        self._runner.close()

    @property
    def cookies(self) -> httpx.Cookies:
        return self._client.cookies

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self._runner.run(self._client.request(method, path, **options))

    def send(self, path: str, fields: dict[str, str], **headers: str) -> httpx.Response:
        """A form, as one of our own pages sends it."""
        return self.request("POST", path, data=fields, headers={"origin": ORIGIN, **headers})

    def fill(self, path: str, fields: dict[str, str], **headers: str) -> httpx.Response:
        """Load the page at `path`, fill its form in and send it back there."""
        return self.send(path, {"form": token(self.get(path)), **fields}, **headers)

    def log_in(
        self, name: str = "ana", password: str = ANA, path: str = "/vibevoice/login"
    ) -> httpx.Response:
        return self.fill(path, {"name": name, "password": password})


def token(page: httpx.Response) -> str:
    """The token in a page's first form."""
    found = re.search(r'name="form" value="([^"]+)"', page.text)
    assert found, f"no form in the page of status {page.status_code}"
    return html.unescape(found[1])


def heading(page: httpx.Response) -> str:
    """The page's main heading, as people read it."""
    found = re.search(r"<h1>(.*?)</h1>", page.text, re.DOTALL)
    assert found, f"no heading in the page of status {page.status_code}"
    return html.unescape(found[1])

"""What the core's tests need: a desk whose clock they turn, and a way to ask its check as the proxy does."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Self, TypeVar

from door.app import Door, application
from door.config import Project
from door.desk import Desk
from door.people import Person
from visiting import site

T = TypeVar("T")
NOON = 1_800_000_000.0
HOUR_S, DAY_S = 3600, 86400
HTML = "text/html,application/xhtml+xml"


class Clock:
    """Stands still until it is turned."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now

    def turn(self, seconds: float) -> None:
        self.now += seconds


class Answer:
    """What the check said."""

    def __init__(self, start: dict[str, Any], body: dict[str, Any]) -> None:
        self.status: int = start["status"]
        self.headers = {name.decode(): value.decode("latin-1") for name, value in start["headers"]}
        self.body: bytes = body["body"]

    @property
    def error(self) -> dict[str, Any]:
        """The inside of OpenAI's envelope."""
        return json.loads(self.body)["error"]


class Post:
    """A desk on a folder, its application, and a loop to run them in.

    Args:
        changes: of the usual site's configuration.
        clock: the desk's; time.time where it shares the folder with processes.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] | None = None, **changes: Any) -> None:
        self.clock = Clock()
        self.path, self.data = folder / "site.json", folder / "data"
        self._told = site()
        self.configure(**changes)
        self.desk = Desk(self.path, self.data, clock or self.clock)
        self.door: Door = application(self.desk)
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.desk.close()
        self._runner.close()

    def configure(self, **changes: Any) -> None:
        """Replace keys of the configuration, and its file as the deploy does."""
        self._told |= changes
        draft = self.path.with_suffix(".new")
        draft.write_text(json.dumps(self._told))
        draft.rename(self.path)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    def ask(
        self,
        project: str = "podcast",
        *,
        cookie: str | None = None,
        authorization: str | None = None,
        method: str = "GET",
        uri: str = "/vibevoice/podcast/",
        accept: str = "*/*",
        address: str = "192.0.2.7",
        more: tuple[tuple[str, str], ...] = (),
    ) -> Answer:
        """One check, as Traefik's forwardAuth sends it."""
        return self.run(
            self.asking(
                project,
                [
                    ("accept", accept),
                    ("x-forwarded-for", f"{address}, 127.0.0.1"),
                    ("x-forwarded-method", method),
                    ("x-forwarded-uri", uri),
                    *([("cookie", cookie)] if cookie is not None else []),
                    *([("authorization", authorization)] if authorization is not None else []),
                    *more,
                ],
            )
        )

    async def asking(self, project: str, headers: list[tuple[str, str]], method: str = "GET") -> Answer:
        sent: list[dict[str, Any]] = []

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": method,
            "path": f"/check/{project}",
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
        }
        await self.door(scope, None, send)
        return Answer(*sent)

    def log_in(self, name: str, password: str, address: str = "192.0.2.7", cookie: str = "") -> Person:
        return self.run(self.desk.log_in(name, password, address, cookie))

    def cookie(self, name: str = "ana") -> str:
        """The session cookie of somebody who just logged in."""
        return self.cookies(name)[0]

    def cookies(self, name: str = "ana") -> list[str]:
        """All cookies of somebody who just logged in, as a browser sends them."""
        settings = self.desk.open_session(self.known(name), "sso" if ":" in name else "password")
        return [setting.partition(";")[0] for setting in settings]

    def key(self, name: str = "ana", project: str = "podcast", days: float = 30) -> str:
        return self.desk.create_key(self.known(name), self.project(project), "a key", days)

    def known(self, name: str) -> Person:
        person = self.desk.person(name)
        assert person, f"nobody is called {name}"
        return person

    def project(self, name: str = "podcast") -> Project:
        project = self.desk.config.project(name)
        assert project, f"no project is called {name}"
        return project

    def audited(self, event: str) -> list[dict[str, Any]]:
        """The audit log's lines of an event, oldest first."""
        lines = [line for file in sorted((self.data / "audit").iterdir()) for line in file.open()]
        return [line for line in map(json.loads, lines) if line["event"] == event]

"""The example site on loopback: the real Traefik, both real doors, and a studio that echoes for each node."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import urllib3

from fleet import Site
from roles.gateway import config as gateway
from roles.routes import config as routes
from tests.box.break_ins.honest import SESSION, Honest
from tests.box.raw import Place
from tests.unit.door_process import Door, door, doors, tell
from tests.unit.echo_studio import Echo, echo_studio
from tests.unit.examples import example_site
from tests.unit.traefik_process import Traefik, gateway_on_loopback, traefik, wait_until

ANA = urllib3.make_headers(basic_auth="ana:the password of ana")
LI = urllib3.make_headers(basic_auth="li:the password of li")
HTML = {"Accept": "text/html,application/xhtml+xml"}
PAGE = b"<p>hello</p>" * 1000
AUDIO = bytes(20_000)
EVENTS = b"event: progress\ndata: 1\n\n" * 200


@dataclass
class Box:
    """A gateway that serves, and what is behind it. ``ends`` end one studio each, before the rest."""

    site: Site
    where: gateway.Layout
    folder: Path
    traefik: Traefik
    studios: list[Echo]
    ends: list[ExitStack]
    stack: ExitStack
    doors: list[Door]

    @cached_property
    def pool(self) -> urllib3.HTTPSConnectionPool:
        host, port = self.where.websecure.split(":")
        return urllib3.HTTPSConnectionPool(
            host,
            int(port),
            ca_certs=str(self.folder / "root.pem"),
            server_hostname=self.site.domain,
            assert_hostname=self.site.domain,
            maxsize=10,
        )

    def get(self, path: str, method: str = "GET", **options: Any) -> urllib3.BaseHTTPResponse:
        """One HTTPS request to the domain, as a browser makes it; no redirect is followed."""
        headers = {"Host": self.site.domain} | options.pop("headers", {})
        options = {"redirect": False, "retries": False, "timeout": 10} | options
        return self.pool.request(method, path, headers=headers, **options)

    def seen(self, path: str, **options: Any) -> dict[str, str]:
        """The headers that the studio got, names in lower case; an AssertionError if one came twice."""
        response = self.get(path, **options)
        assert response.status == 200, response.data
        pairs = [(name.lower(), value) for name, value in response.json()["headers"]]
        assert len(pairs) == len(dict(pairs)), pairs
        return dict(pairs)

    @cached_property
    def visitor(self) -> Honest:
        """Ana's browser, logged in."""
        host, port = self.where.websecure.split(":")
        place = Place(host, int(port), self.site.domain, self.folder / "root.pem")
        return Honest(place).log_in("ana", "the password of ana")

    @cached_property
    def session(self) -> dict[str, str]:
        """What ana's browser sends."""
        return {"Cookie": f"{SESSION}={self.visitor.cookies[SESSION]}"}

    @cached_property
    def key(self) -> dict[str, str]:
        """What a program of ana's sends, for p1."""
        return {"Authorization": f"Bearer {self.visitor.make_key('p1')}"}

    def publish(self, site: Site) -> None:
        """Tell the doors of a site and put its routes in place, as a deploy does."""
        urls = {node.host: echo.url for node, echo in zip(site.nodes, self.studios, strict=True)}
        digest = tell(site, self.folder / "site.json", urls)
        wait_until(lambda: {one.health() for one in self.doors} <= {digest}, 10, "the doors do not know")
        file = Path(self.where.directory, "dynamic/routes.yml")
        new = file.with_suffix(".yml.vv-new")
        new.write_text(routes.routes(site, urls, self.where.door))
        new.replace(file)

    def restart_door(self, number: int) -> None:
        """Run a door in place of one that ended, until Traefik knows it."""
        address, log = self.where.doors[number], self.folder / f"{'ab'[number]}.log"
        self.doors[number] = self.stack.enter_context(door(address, self.folder, log))
        wait_until(lambda: self.state(number) == "UP", 10, f"{address} is not in rotation")

    def state(self, number: int) -> str:
        """What Traefik takes a door for: UP or DOWN."""
        services = self.traefik.ask("/api/http/services?per_page=1000")
        (service,) = [one for one in services if one["name"] == f"door-{'ab'[number]}@file"]
        return service["serverStatus"][f"http://{self.where.doors[number]}"]


@contextmanager
def serving(folder: Path) -> Iterator[Box]:
    site = example_site()
    where = gateway_on_loopback(site, folder)
    with ExitStack() as stack:
        ends = [stack.enter_context(ExitStack()) for _ in range(2)]
        studios = [
            end.enter_context(echo_studio(name)) for end, name in zip(ends, ("one", "two"), strict=True)
        ]
        tell(site, folder / "site.json", {})
        running = stack.enter_context(doors(where.doors, folder))
        proxy = stack.enter_context(traefik(folder / "traefik.yml", where.internal, folder / "log"))
        box = Box(site, where, folder, proxy, studios, ends, stack, list(running))
        box.publish(site)
        wait_until(lambda: "vv-p10@file" in proxy.routers(), 10, "the routes were not loaded")
        studios[0].answers |= {
            "/vibevoice/p1/page": (200, "text/html", PAGE),
            "/vibevoice/p1/audio.wav": (200, "audio/wav", AUDIO),
            "/vibevoice/p1/events": (200, "text/event-stream", EVENTS),
        }
        yield box

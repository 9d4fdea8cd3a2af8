"""A whole small site on loopback for break-ins: the real Traefik, both real doors, and studios that echo.

Somebody whose tokens it trusts, and whom people sign on with, is there too.
"""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from fleet import Site
from roles.door import config as door_config
from roles.gateway import config as gateway
from roles.routes import config as routes
from tests.box.break_ins.tokens_made import Issuer
from tests.box.break_ins.world import SQL, World
from tests.box.raw import Place
from tests.unit.door_process import PYTHON, Door, doors, tell
from tests.unit.echo_studio import Echo, echo_studio
from tests.unit.examples import example_site
from tests.unit.traefik_process import (
    Traefik,
    gateway_on_loopback,
    issue_certificate,
    traefik,
    wait_until,
)

PASSWORDS = {"li": "the password of li", "bo": "the password of bo"}


@dataclass
class Loopback:
    """The site's parts, for what a world does not show."""

    site: Site
    where: gateway.Layout
    traefik: Traefik
    doors: tuple[Door, Door]
    studios: dict[str, Echo]
    world: World

    def publish(self, text: str) -> None:
        """Put other routes in place, by a rename."""
        file = Path(self.where.directory, "dynamic/routes.yml")
        new = file.with_suffix(".yml.vv-new")
        new.write_text(text)
        new.replace(file)

    @property
    def routes(self) -> str:
        """The routes as the role renders them."""
        urls = {
            node.host: echo.url for node, echo in zip(self.site.nodes, self.studios.values(), strict=True)
        }
        return routes.routes(self.site, urls, self.where.door)


def site(issuer: str = "", ca: Path | None = None) -> Site:
    """Podcast, which li may open, and debate, which bo may; the issuer's programs may open podcast."""
    trusted = {"issuer": issuer, "ca": ca}
    return example_site(
        projects=[
            {
                "name": "podcast",
                "node": "gpu-1.example.com",
                "gpus": 1,
                "model": "tiny",
                "users": ["li"],
                "groups": ["ci:podcast"],
            },
            {"name": "debate", "node": "gpu-2.example.com", "gpus": 1, "model": "tiny", "users": ["bo"]},
        ],
        issuers=[{"name": "ci", "audience": "vibevoice", "jwks": f"{issuer}/jwks", **trusted}],
        sign_on=[{"name": "corp", "client_id": "vibevoice", **trusted}],
        secrets={"users": PASSWORDS, "sign_on": {"corp": "a client's secret"}},
    )


@contextmanager
def loopback(folder: Path) -> Iterator[Loopback]:
    """The site, until the block ends."""
    with ExitStack() as stack:
        issuer, ca = stack.enter_context(_issuer(folder))
        whole = site(issuer.issuer, ca)
        where = gateway_on_loopback(whole, folder)
        studios = {name: stack.enter_context(echo_studio(name)) for name in ("podcast", "debate")}
        urls = dict(zip([node.host for node in whole.nodes], [e.url for e in studios.values()], strict=True))
        tell(whole, folder / "site.json", urls)
        _point_to(ca, folder / "site.json")
        running = stack.enter_context(doors(where.doors, folder))
        proxy = stack.enter_context(traefik(folder / "traefik.yml", where.internal, folder / "log"))
        world = _world(whole, where, folder, running[0], issuer)
        found = Loopback(whole, where, proxy, running, studios, world)
        found.publish(found.routes)
        wait_until(lambda: "vv-debate@file" in proxy.routers(), 10, "the routes were not loaded")
        wait_until(lambda: _both_up(proxy, where), 10, "the doors are not in rotation")
        yield found


def _world(site: Site, where: gateway.Layout, folder: Path, running: Door, issuer: Issuer) -> World:
    host, _, port = where.websecure.partition(":")

    def sql(statement: str) -> None:
        subprocess.run([str(PYTHON), "-c", SQL, statement], env=running.env, check=True)

    return World(
        place=Place(host, int(port), site.domain, folder / "root.pem"),
        passwords=PASSWORDS,
        door=running.ask,
        sql=sql,
        echo=True,
        pass_key=base64.b64decode((folder / "data/limits.pub").read_text()),
        issuer=issuer,
        sign_on="corp",
    )


def _both_up(proxy: Traefik, where: gateway.Layout) -> bool:
    (service,) = [
        one for one in proxy.ask("/api/http/services?per_page=1000") if one["name"] == "door-pages@file"
    ]
    states = service.get("serverStatus", {})
    return all(states.get(f"http://{address}") == "UP" for address in where.doors)


def _point_to(ca: Path, file: Path) -> None:
    """The deploy puts a provider's certificate beside the configuration; here it stays where it is."""
    whole = json.loads(file.read_text())
    for provider in (*whole["issuers"], *whole["sign_on"]):
        provider["ca"] = str(ca)
    file.write_text(json.dumps(whole))
    assert door_config.DIRECTORY not in file.read_text()


@contextmanager
def _issuer(folder: Path) -> Iterator[tuple[Issuer, Path]]:
    """Whoever signs tokens, with discovery document and keys over HTTPS; and what its certificate is of."""
    ca = folder / "issuer.pem"
    key = issue_certificate("localhost", folder / "issuer.json", ca)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Documents)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ca, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    issuer = Issuer(f"https://localhost:{server.server_port}", "vibevoice")
    server.documents = {  # type: ignore[attr-defined]
        "/jwks": {"keys": [issuer.jwk]},
        "/.well-known/openid-configuration": {
            "issuer": issuer.issuer,
            "authorization_endpoint": f"{issuer.issuer}/authorize",
            "token_endpoint": f"{issuer.issuer}/token",
            "jwks_uri": f"{issuer.issuer}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
        },
    }
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield issuer, ca
    finally:
        server.shutdown()
        server.server_close()


class _Documents(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        content = self.server.documents.get(self.path)  # type: ignore[attr-defined]
        self.send_response(200 if content else 404)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a token that is refused says enough."""

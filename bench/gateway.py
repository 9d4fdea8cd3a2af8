"""The gateway on loopback and on one core: the real Traefik as a site has it, and its two doors."""

from __future__ import annotations

import os
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bcrypt
import yaml

from fleet import Site
from roles.gateway import traefik as traefik_container
from roles.gateway.config import Layout
from roles.routes import config as routes
from tests.box.lab import Lab
from tests.box.people import SESSION, Visitor
from tests.unit.door_process import PYTHON, doors, tell
from tests.unit.examples import example_site
from tests.unit.traefik_process import TRAEFIK, gateway_on_loopback, traefik, wait_until

# One for each connection: of equal checks at the same time Traefik does only one, and so does the door.
PEOPLE = {f"person-{number:02}": f"the password of {number:02}" for number in range(16)}
# Projects whose names are of equal length, so that their rules cost the same; each has another lock.
PROJECTS = OPEN, DOOR, BCRYPT_8, BCRYPT_10 = "free", "lock", "bc08", "bc10"
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Gateway:
    """A gateway that serves.

    Args:
        domain, address, tls: its name, where it listens, whose certificates to trust.
        traefik, doors: process ids.
        cookies, keys: what opens DOOR, of each of PEOPLE: headers Cookie, and API keys.
    """

    domain: str
    address: tuple[str, int]
    tls: ssl.SSLContext
    traefik: int
    doors: tuple[int, int]
    cookies: list[str]
    keys: list[str]


@contextmanager
def gateway(folder: Path, backend: str, core: int) -> Iterator[Gateway]:
    """Traefik and both doors, all of them on that core, with their files below `folder`."""
    site = _site()
    where = gateway_on_loopback(site, folder)
    (folder / "dynamic/routes.yml").write_text(_routes(site, where, backend))
    tell(site, folder / "site.json", {site.nodes[0].host: backend})
    with ExitStack() as stack:
        with on_core(core):
            others = _children()
            # What its container has on a gateway.
            os.environ.update(traefik_container(site, ()).env)
            # Go runs its code on as many threads as it may use cores: one.
            running = stack.enter_context(traefik(folder / "traefik.yml", where.internal, folder / "log"))
            (pid,) = _children() - others
            pair = stack.enter_context(doors(where.doors, folder))
        routers = {f"vv-{name}@file" for name in PROJECTS}
        wait_until(lambda: routers <= running.routers(), 10, "the routes were not loaded")
        assert running.disabled() == [], running.disabled()
        tickets = [_log_in(site, where, folder / "root.pem", *person) for person in PEOPLE.items()]
        host, port = where.websecure.split(":")
        tls = ssl.create_default_context(cafile=str(folder / "root.pem"))
        pids = pair[0].process.pid, pair[1].process.pid
        if goes_first():
            # On its one core Traefik's garbage collector works on for 5 to 20 ms, for among equals nobody is
            # interrupted here. By the usual scheduler it is.
            for door in pids:
                os.sched_setscheduler(door, os.SCHED_FIFO, os.sched_param(2))
        cookies, keys = map(list, zip(*tickets, strict=True))
        yield Gateway(site.domain, (host, int(port)), tls, pid, pids, cookies, keys)


def go_first() -> None:
    """Let this process, and all it starts, go before whatever else the machine does; where it may."""
    with suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


def goes_first() -> bool:
    return os.sched_getscheduler(0) == os.SCHED_FIFO


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """What is started inside stays on that core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cpu_s(pid: int) -> float:
    """Seconds of CPU that a process has used."""
    return sum(_ticks(Path(f"/proc/{pid}"))[:2]) / _TICKS_PER_S


def machine_s() -> float:
    """Seconds of CPU that all processes have used, also those that ended, and the hypervisor kept.

    Not what the kernel sums up in /proc/stat: it looks at each tick who runs, and whoever works for less than
    a tick is counted wrong.
    """
    used = 0
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):
            # A process that ended is among its parent's children.
            used += sum(_ticks(process))
    stolen = Path("/proc/stat").read_text().split(maxsplit=9)[8]
    return (used + int(stolen)) / _TICKS_PER_S


def _ticks(process: Path) -> list[int]:
    """In user and system mode; the same of children that ended."""
    return list(map(int, (process / "stat").read_text().rpartition(")")[2].split()[11:15]))


def _children() -> set[int]:
    return set(map(int, Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()))


def _site() -> Site:
    limits = {"requests_per_s": 1_000_000}
    node = "gpu-1.example.com"
    return example_site(
        nodes=[{"host": node, "gpus": len(PROJECTS), "gpu_memory": "48GiB"}],
        projects=[
            {"name": name, "node": node, "gpus": 1, "model": "tiny", "users": list(PEOPLE), "limits": limits}
            for name in PROJECTS
        ],
        secrets={"users": PEOPLE},
    )


def _routes(site: Site, where: Layout, backend: str) -> str:
    """The site's own routes, but for the locks of all projects other than DOOR."""
    whole: dict[str, Any] = yaml.safe_load(
        routes.routes(site, {site.nodes[0].host: backend}, where.door)
    )["http"]  # fmt: skip
    for name in (f"vv-{OPEN}", f"vv-{OPEN}_page"):
        whole["routers"][name]["middlewares"].remove(f"vv-{OPEN}_door")
    for project, cost in ((BCRYPT_8, 8), (BCRYPT_10, 10)):
        users = [
            f"{name}:{bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()}"
            for name, password in PEOPLE.items()
        ]
        whole["middlewares"][f"vv-{project}_door"] = {"basicAuth": {"users": users, "removeHeader": True}}
    return yaml.safe_dump({"http": whole})


class _Visitor(Visitor):
    """A person at a gateway that is not at port 443."""

    def __init__(self, site: Site, where: Layout, root: Path) -> None:
        address, _, self._port = where.websecure.partition(":")
        super().__init__(Lab(site.domain, address, root, Path(), {}, {}, {}))

    def _url(self, path: str) -> str:
        return f"{self.origin}:{self._port}{path}"


def _log_in(site: Site, where: Layout, root: Path, name: str, password: str) -> tuple[str, str]:
    """A session's cookie and a key of DOOR, by the door's own pages."""
    with _Visitor(site, where, root) as person:
        person.log_in(name, password)
        assert person.cookie, "the login page let nobody in"
        return f"{SESSION}={person.cookie}", person.make_key(DOOR)


def versions() -> str:
    """Of what serves here, beside this project's own code."""
    traefik = subprocess.run([TRAEFIK, "version"], check=True, capture_output=True, text=True).stdout
    code = "from importlib.metadata import version as v; [print(n, v(n)) for n in ('uvicorn', 'uvloop')]"
    door = subprocess.run([PYTHON, "-c", code], check=True, capture_output=True, text=True).stdout
    return f"Traefik {traefik.split()[1]}, door on {', '.join(door.splitlines())}"

"""A container replaced while it serves: the new one beside it on the same ports, then the old one drained."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from pyinfra import host
from pyinfra.api import FactBase, operation

from steps.containers import SPEC_LABEL, Container, container
from steps.files import File, FileStates, back_up, backup, render, restore, write

# A container with this label listens with SO_REUSEPORT on all its ports.
SHARES_LABEL = "vibevoice.shares-ports"
# Twice what a cold start with a thousand routes takes on a slow machine; new connections wait meanwhile.
SERVES_WITHIN_S = 20
# Of as many connections, each dealt to one of two, all go to the same one in 1 of a million cases.
TIMES = 20


@dataclass(frozen=True)
class Serving:
    """What a container has to serve before it takes another's place.

    Args:
        outer: ports that others reach over the network.
        inner: ports that it reaches itself on, over loopback.
        open: ports where a wrong answer, or none, for a moment does no harm.
        asks: `curl` arguments that end with a URL without a query. Those that the container in place answers
            with success, the new one has to.
    """

    outer: Sequence[int]
    inner: Sequence[int] = ()
    open: Sequence[int] = ()
    asks: Sequence[Sequence[str]] = ()


def port(address: str) -> int:
    """The port of "host:port"."""
    return int(address.rpartition(":")[2])


@dataclass(frozen=True)
class Around:
    """A container and what its replacements left beside it.

    Args:
        status: Docker's word; empty where there is none.
        spec: hash of its specification.
        shares: it shares its ports.
        serving: it, or a stray one, runs.
        stray: one runs that was to take its place, or has left it, and nobody is ending it.
        dead: names of those that do not run, and that nobody removes.
    """

    status: str = ""
    spec: str = ""
    shares: bool = False
    serving: bool = False
    stray: bool = False
    dead: tuple[str, ...] = ()


class AroundFact(FactBase[Around]):
    """The container as found; none where Docker itself is missing or down, as while a run is planned."""

    def command(self, container: str) -> str:
        spec, shares = (f'{{{{.Label "{label}"}}}}' for label in (SPEC_LABEL, SHARES_LABEL))
        form = f"{{{{.Names}}}} {{{{.State}}}} s={spec} p={shares} {{{{.ID}}}}"
        return (
            f"docker ps -a --filter name={shlex.quote(f'^/?{container}(-new|-old-.*)?$')} "
            f"--format {shlex.quote(form)} 2>/dev/null; "
            "systemctl list-units --plain --no-legend 'vibevoice-retire-*' 2>/dev/null | cut -d ' ' -f 1"
        )

    @staticmethod
    def default() -> Around:
        return Around()

    def process(self, output: Iterable[str]) -> Around:
        return read(output)


def read(output: Iterable[str]) -> Around:
    """The fact's lines: containers, then units that end some of them."""
    lines = [line.split() for line in output]
    units = {words[0].removesuffix(".service") for words in lines if len(words) == 1}
    found = Around()
    for name, status, spec, shares, number in (words for words in lines if len(words) == 5):
        runs = status == "running"
        if f"vibevoice-retire-{number}" in units:
            continue
        if name.endswith("-new") or "-old-" in name:
            if runs:
                found = replace(found, serving=True, stray=True)
            else:
                found = replace(found, dead=(*found.dead, name))
        else:
            found = replace(
                found,
                status=status,
                spec=spec.removeprefix("s="),
                shares=shares != "p=",
                serving=found.serving or runs,
            )
    return found


@operation()
def container_beside(spec: Container, serving: Serving, files: Sequence[File], drain_s: int):
    """Have exactly this container running; another one serves until it does, and then ends in its own time.

    One that does not come up, or does not serve what the one before does, is removed, and fails the operation
    with its last lines. So are its files: the one before may have to start again, after a reboot.

    Args:
        spec: has `SHARES_LABEL`, and listens accordingly.
        serving: what has to be seen of it.
        files: what it reads at its start.
        drain_s: seconds that one that is replaced may take for what is open on it.
    """
    now = host.get_fact(AroundFact, container=spec.name)
    states = host.get_fact(FileStates, paths=tuple(file.dest for file in files))
    changed = [file for file in files if states.get(file.dest) != file.state]
    if now.dead:
        yield f"docker rm -f {shlex.join(now.dead)} >/dev/null"
    as_specified = now.spec == spec.spec and now.status == "running" and not now.stray
    if as_specified or not now.serving:
        if changed:
            yield write(changed)
        if not as_specified:
            yield from container._inner(spec=spec)
        elif not changed:
            host.noop(f"{spec.name} runs as specified")
        return
    # Pulled before anything is touched.
    image = shlex.quote(spec.image)
    yield f"docker image inspect {image} >/dev/null 2>&1 || docker pull -q {image}"
    paths = [file.dest for file in changed]
    if changed:
        yield "; ".join(map(back_up, paths))
        yield write(changed)
    # A killed run may have left several that serve: a fresh one takes the place of all.
    replacement = script(spec, serving, drain_s, shares=now.shares or not now.status, paths=paths)
    yield f"sh -c {shlex.quote(replacement)}"


def script(spec: Container, serving: Serving, drain_s: int, shares: bool, paths: Sequence[str] = ()) -> str:
    """Shell that replaces a container.

    Args:
        drain_s: seconds after which Docker kills the one that was replaced.
        shares: the one in place shares its ports; if not, it has to close them before the new one starts.
        paths: files of which there is a backup, to be put back where the new one does not come up.
    """
    inner = ", ".join(map(str, serving.inner))
    return render(
        "containers/beside.sh",
        name=shlex.quote(spec.name),
        create=shlex.join(spec.arguments_as(f"{spec.name}-new")),
        ports=" ".join(map(str, (*serving.outer, *serving.inner, *serving.open))),
        outer=", ".join(map(str, serving.outer)),
        inner=f"elements = {{ {inner} }};" if inner else "",
        seconds=SERVES_WITHIN_S,
        hold_s=SERVES_WITHIN_S + 10,
        asks=[shlex.join(ask) for ask in serving.asks],
        questions=" ".join(str(number + 1) for number in range(len(serving.asks))),
        times=TIMES,
        drain_s=drain_s,
        shares=shares,
        restore="; ".join(map(restore, paths)) or ":",
        backups=shlex.join(map(backup, paths)),
    )

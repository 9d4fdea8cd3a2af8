"""The door: who may enter which studio. Two containers on the gateway's loopback, behind its Traefik."""

from __future__ import annotations

from collections.abc import Iterator

from pyinfra import host, state
from pyinfra.api import deploy, operation

from fleet import Gateway, Site, images, names
from roles.door import config, containers
from steps.containers import container
from steps.files import Directory, directories, place
from steps.images import ImageDigest
from steps.refusal import refuse
from steps.shell import Output


@deploy("Door")
def door(site: Site, member: Gateway) -> None:
    """Run both doors, and see that they know the inventory's people and projects."""
    directories(name="Make the door's folders", directories=folders())
    files = config.files(site)
    place(name="Tell the door about people and projects", files=files)
    doors(name="Run both doors", site=site)
    know(name="See that both doors know", digest=config.digest(files))


def folders() -> list[Directory]:
    """The door's folders, closed before a secret is written."""
    return [
        Directory(config.DIRECTORY, "750", group=config.USER),
        Directory(config.DATA, "700", user=config.USER, group=config.USER),
    ]


@operation()
def doors(site: Site):
    """Have both doors running as specified: replaced one after the other, so that one always answers."""
    image = images.door(site)
    digest = _digest(site, image)
    # While a run is planned, the image may not be there yet.
    if state.is_executing and not digest and not image.external:
        yield refuse(f"{site.registry_address} does not have {image.repository}:{image.tag}. Deploy again.")
        return
    changed = False
    # The second first: when the first one's turn comes, the other already answers as the new one does.
    for name in reversed(names.DOORS):
        for command in _converge(site, name, image.reference(site, digest)):
            changed = True
            yield command
    if not changed:
        host.noop("both doors run as specified")


@operation()
def know(digest: str):
    """Wait until both doors have their configuration in force. Waiting is no change, so it yields nothing."""
    if not state.is_executing:
        return
    if said := host.get_fact(Output, script=f"( {containers.until_known(digest)} ) 2>&1"):
        yield refuse(said)


def _digest(site: Site, image: images.Image) -> str:
    if image.external:
        return ""
    return host.get_fact(
        ImageDigest, registry=site.registry_address, repository=image.repository, tag=image.tag
    )


def _converge(site: Site, name: str, reference: str) -> Iterator[object]:
    """What brings one door to its specification, and the wait until requests reach it."""
    commands = list(container._inner(spec=containers.door(site, name, reference)))
    if commands:
        yield from commands
        yield containers.until_it_answers(name)


def probe(projects: list[str]) -> dict[str, str]:
    """A short-lived key for each project's health, made by a door that runs; {} where none does."""
    lines = host.get_fact(Output, script=containers.probe(projects)).splitlines()
    return {words[0]: words[1] for line in lines if len(words := line.split()) == 2}

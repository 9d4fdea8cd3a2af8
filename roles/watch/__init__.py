"""What a GPU host looks after by itself: studios that hang, GPUs that go, disks that fill."""

from __future__ import annotations

from pyinfra.api import deploy

from fleet import Node, Site
from roles.studios.spec import PORT
from steps.files import TEMPLATES, File, place, render
from steps.units import units

SCRIPT = "/usr/local/lib/vibevoice/watch"
UNIT = "vibevoice-watch.service"
ALARMS = "/srv/vibevoice/alarms"


@deploy("Watch")
def watch(site: Site, member: Node) -> None:
    """Run the watch; a change of it restarts it."""
    placed = place(name="Write the watch", files=files(site))
    units(name="Run the watch", running=[UNIT], restart_if=[placed])


def files(site: Site) -> list[File]:
    """The watch and its unit."""
    return [
        # Word for word: its own braces are Docker's, not ours to fill in.
        File(SCRIPT, (TEMPLATES / "watch" / "watch.sh").read_text(), mode="755"),
        File(
            f"/etc/systemd/system/{UNIT}",
            render("watch/vibevoice-watch.service", reserve=site.studio.disk_reserve, port=PORT),
        ),
    ]

"""What makes an inventory wrong beyond the shape of its values. Each check reports and goes on."""

from fleet.checks import backup, hosts, network, people, projects
from fleet.draft import Draft
from fleet.mistakes import Report


def check(draft: Draft, report: Report) -> None:
    """All checks that need nothing but the inventory itself."""
    hosts.check(draft, report)
    network.check(draft, report)
    projects.check(draft, report)
    people.check(draft, report)
    backup.check(draft, report)

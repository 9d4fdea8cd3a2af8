"""Where backups go: reachable without a question, and with every secret that its address names."""

import re

from fleet.draft import Draft
from fleet.mistakes import Report, guess


def check(draft: Draft, report: Report) -> None:
    """Report a repository that could not be opened from a host at night."""
    backup = draft.sections["backup"]
    if not backup or not backup.repository:
        return
    for name in re.findall(r"\$\{(\w*)\}", backup.repository):
        if name not in backup.env:
            report.add(
                "backup.repository",
                f"names ${{{name}}}, which is not in backup.env. "
                + guess(name, backup.env, "Add it there, and its value to the secrets."),
            )
    if backup.repository.startswith("sftp:"):
        for key, what in {"ssh_key": "logs in with", "ssh_known_hosts": "knows the server by"}.items():
            if getattr(backup, key) is None:
                report.add(f"backup.{key}", f"is missing. It is what an sftp: repository {what}.")

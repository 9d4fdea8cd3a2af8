"""Who may become somebody on a host, and whom the door knows. Pure, but for the operator's own keys.

Declared are root, the login of the host's `ssh`, and what `operators` in the inventory names.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import paramiko

from fleet import Member, Site
from roles.drift.finding import Finding
from roles.drift.question import words

FIRST_UID = 1000
NO_LOGIN = {"nologin", "false", "sync", "shutdown", "halt", ""}
# In sudo's own configuration as it is packaged.
PACKAGED_SUDO = {"root", "%sudo", "%admin", "%wheel"}
SUDO_SETTINGS = ("Defaults", "User_Alias", "Runas_Alias", "Host_Alias", "Cmnd_Alias", "Cmd_Alias")
KEY_TYPES = ("ssh-", "ecdsa-", "sk-")
DECLARE = "or declare it in operators"


def own_keys(member: Member) -> frozenset[str]:
    """Fingerprints of what this run may have come in with: the host's key, or the agent's and ~/.ssh's."""
    if member.ssh.key is None:
        agent = [fingerprint(key.asbytes()) for key in paramiko.Agent().get_keys()]
        public = Path("~/.ssh").expanduser().glob("*.pub")
        return frozenset([*agent, *(found for path in public if (found := _of_line(path.read_text())))])
    path = Path(f"{member.ssh.key}.pub")
    if path.is_file() and (found := _of_line(path.read_text())):
        return frozenset([found])
    try:
        return frozenset([fingerprint(paramiko.PKey.from_path(member.ssh.key).asbytes())])
    except (OSError, paramiko.SSHException, ValueError):
        return frozenset()


def fingerprint(blob: bytes) -> str:
    """As `ssh-keygen -l` says it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def findings(site: Site, member: Member, lines: Sequence[str], keys: frozenset[str]) -> list[Finding]:
    """Accounts, groups, sudo rules and keys that nobody declared. `keys`: `own_keys`."""
    allowed = {"root", member.ssh.user, *site.operators.accounts}
    rows = [
        *_accounts(words(lines, "account"), set(words(lines, "open")), allowed),
        *_groups(words(lines, "group"), words(lines, "account"), allowed),
        *_sudo(words(lines, "sudo"), allowed),
        *_keys(words(lines, "key"), allowed, keys | frozenset(site.operators.keys)),
    ]
    return [Finding("user", member.host, what, found, "absent", remedy) for what, found, remedy in rows]


Row = tuple[str, str, str]


def _accounts(lines: Iterable[str], open_: set[str], allowed: set[str]) -> list[Row]:
    rows = []
    for line in lines:
        name, _, uid, _, _, _, shell = line.split(":")
        logs_in = shell.rpartition("/")[2] not in NO_LOGIN
        if name in open_ and logs_in:
            rows.append((f"account {name}", "needs no password", f"passwd -l {name}"))
        if uid == "0" and name != "root":
            rows.append((f"account {name}", "is root (uid 0)", f"userdel {name}"))
        elif int(uid) >= FIRST_UID and logs_in and name not in allowed:
            rows.append((f"account {name}", f"may log in ({shell})", f"userdel {name}, {DECLARE}.accounts"))
    return rows


def _groups(lines: Iterable[str], accounts: Iterable[str], allowed: set[str]) -> list[Row]:
    primary: dict[str, list[str]] = {}
    for account in accounts:
        name, _, _, gid, *_ = account.split(":")
        primary.setdefault(gid, []).append(name)
    rows = []
    for line in lines:
        group, _, gid, members = line.split(":")
        for name in sorted({*filter(None, members.split(",")), *primary.get(gid, [])} - allowed):
            rows.append(
                (f"account {name}", f"in group {group}", f"gpasswd -d {name} {group}, {DECLARE}.accounts")
            )
    return rows


def _sudo(lines: Iterable[str], allowed: set[str]) -> list[Row]:
    rules: list[tuple[str, str]] = []
    for line in lines:
        path, _, text = line.partition(" ")
        if rules and rules[-1][0] == path and rules[-1][1].endswith("\\"):
            rules[-1] = (path, rules[-1][1][:-1] + text)
        else:
            rules.append((path, text))
    rows = []
    for path, text in rules:
        who, *rest = text.split() or [""]
        if who in ("@includedir", "#includedir", "@include", "#include"):
            strange = rest[:1] != ["/etc/sudoers.d"]
        else:
            # "#1000" is a user by number; any other # begins a comment.
            comment = who.startswith("#") and not who[1:].isdigit()
            known = who in allowed or (path == "/etc/sudoers" and who in PACKAGED_SUDO)
            strange = bool(who) and not comment and not known and not who.startswith(SUDO_SETTINGS)
        if strange:
            rows.append(
                (f"sudo rule in {path}", f"for {who}", f"remove it (visudo -f {path}), {DECLARE}.accounts")
            )
    return rows


def _keys(lines: Iterable[str], allowed: set[str], known: frozenset[str]) -> list[Row]:
    rows = []
    for line in lines:
        user, path, text = line.split(" ", 2) if line.count(" ") >= 2 else (*line.split(" "), "")[:3]
        found = _of_line(text)
        if found and (found not in known or user not in allowed):
            rows.append((f"key in {path}", f"{found} for {user}", f"remove it from {path}, {DECLARE}.keys"))
    return rows


def _of_line(text: str) -> str:
    """The fingerprint of a line of authorized_keys, options before it or not; empty where there is no key."""
    fields = text.split()
    if not fields or fields[0].startswith("#"):
        return ""
    for kind, blob in pairwise(fields):
        if kind.startswith(KEY_TYPES):
            try:
                return fingerprint(base64.b64decode(blob, validate=True))
            except binascii.Error:
                continue
    return ""


def door(site: Site, lines: Sequence[str]) -> list[Finding]:
    """Whom the door lets in against the inventory; nothing where it does not answer."""
    try:
        people = {one["name"]: sorted(one["projects"]) for one in json.loads("\n".join(lines))["people"]}
    except ValueError:
        return []
    # Who signed on with a provider is qualified by its name, and comes by a group.
    live = {name: projects for name, projects in people.items() if ":" not in name}
    wanted = {
        user: sorted(project.name for project in site.projects if user in project.users)
        for user in site.users
    }
    return [
        Finding(
            "user",
            site.gateway.host,
            f"the door's {name}",
            f"enters {' '.join(live[name]) or 'nothing'}" if name in live else "unknown",
            f"enters {' '.join(wanted[name])}" if name in wanted else "unknown",
            "deploy the gateway; docker restart vv-door-a vv-door-b",
        )
        for name in sorted({*live, *wanted})
        if live.get(name) != wanted.get(name)
    ]

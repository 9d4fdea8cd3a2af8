"""Files and folders that the roles place, and what lies beside them where nothing else belongs. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fleet import Member, Site
from roles.drift.declared import Declared
from roles.drift.finding import Finding, deploy
from roles.drift.question import words
from roles.wireguard import CONF, KEY, Tunnel, tunnel

PRIVATE = "600 root root"


def findings(host: str, declared: Declared, states: Mapping[str, str]) -> list[Finding]:
    """Files and folders that differ in content, mode or owner."""
    rows = []
    for path, wanted in [
        *((file.dest, file.state) for file in declared.files),
        *((folder.path, folder.state) for folder in declared.folders),
    ]:
        rows += [_row(host, path, *pair) for pair in differences(states.get(path), wanted)]
    rows += [_row(host, path, "absent", "present") for path in declared.present if path not in states]
    return rows


def differences(found: str | None, wanted: str) -> list[tuple[str, str]]:
    """(found, wanted) of what differs between two states of `steps.files.FileStates`."""
    if found is None:
        return [("absent", "present")]
    # A link's target may hold spaces; mode and owner are the last three words.
    (what, *own), (wish, *wished) = found.rsplit(" ", 3), wanted.rsplit(" ", 3)
    pairs = []
    if what != wish:
        pairs.append((_content(what), _content(wish)))
    if own[0] != wished[0]:
        pairs.append((f"mode {own[0]}", f"mode {wished[0]}"))
    if own[1:] != wished[1:]:
        pairs.append((f"owner {':'.join(own[1:])}", f"owner {':'.join(wished[1:])}"))
    return pairs


def _content(what: str) -> str:
    if what == "dir":
        return "a folder"
    if len(what) == 64 and all(character in "0123456789abcdef" for character in what):
        return f"content {what[:8]}"
    return f"a link to {what}"


def _row(host: str, path: str, found: str, wanted: str) -> Finding:
    return Finding("configuration file", host, path, found, wanted, deploy(host))


def watched(host: str, declared: Declared, lines: Iterable[str]) -> list[Finding]:
    """Files in Traefik's dynamic folder that no role placed. One that defines routes is a route by hand."""
    own = {file.dest for file in declared.watched}
    lines = list(lines)
    routes = [path for path in words(lines, "routes") if path not in own]
    others = [path for path in words(lines, "file") if path not in own]
    return [
        *(
            Finding("route", host, path, "a file that defines routes", "absent", f"rm {path}")
            for path in routes
        ),
        *(
            Finding("configuration file", host, path, "a file that Traefik reads", "absent", f"rm {path}")
            for path in others
        ),
    ]


def wireguard(
    site: Site, member: Member, keys: Mapping[str, str], now: Tunnel, states: Mapping[str, str]
) -> list[Finding]:
    """wg0.conf, whose private key no one but the host knows. `keys`: public ones by host, as far as known."""
    host = member.host
    if not now.public_key:
        return [_row(host, KEY, "absent, or no key", "the host's private key")]
    rows = []
    known = {**tunnel.known_keys(now.conf), **keys}
    if now.conf != tunnel.config(site, member, known):
        rows.append(_row(host, CONF, "another content" if now.conf else "absent", "what is declared"))
    elif not now.own_key:
        rows.append(_row(host, CONF, "another private key", f"the one in {KEY}"))
    for path in (KEY, CONF):
        if path in states and (own := states[path].split(" ", 1)[1]) != PRIVATE:
            remedy = f"chown root:root {path}; chmod 600 {path}"
            rows.append(Finding("configuration file", host, path, own, PRIVATE, remedy))
    return rows

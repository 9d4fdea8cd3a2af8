"""Bytes from one host to another, through this machine: nodes do not reach each other.

pyinfra's commands return whole outputs; a project's data may be larger than any memory.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gevent

BLOCK = 1 << 18
# Seconds between two words about how far it is.
TELL_S = 5.0


class Broken(Exception):
    """A program on one of the hosts failed; the message holds its last words."""


@dataclass(frozen=True)
class Outcome:
    """What a program did: exit code, output, its words on standard error."""

    code: int
    output: bytes
    error: str


def _start(host: Any, script: str) -> Any:
    """A program on the host, as root: its channel."""
    if not host.connected:
        host.connect(show_errors=False)
    command = f"sh -c {shlex.quote(script)}"
    if host.data.get("_sudo"):
        command = f"sudo -n {command}"
    channel = host.connector.client.get_transport().open_session()
    channel.exec_command(command)
    return channel


def ask(host: Any, script: str, stdin: bytes = b"") -> Outcome:
    """Run a script to its end, whatever it prints."""
    channel = _start(host, script)
    errors: list[bytes] = []
    talk = [gevent.spawn(_send, channel, stdin), gevent.spawn(_errors, channel, errors)]
    output = b"".join(iter(lambda: channel.recv(BLOCK), b""))
    gevent.joinall(talk)
    return Outcome(channel.recv_exit_status(), output, _text(errors))


def must(host: Any, script: str, stdin: bytes = b"") -> bytes:
    """Its output. Raises Broken where the script fails."""
    done = ask(host, script, stdin)
    if done.code:
        raise Broken(f"{host.name}: {done.error or f'exit code {done.code}'}")
    return done.output


def pump(
    source: Any, send: str, stdin: bytes, target: Any, receive: str, tell: Callable[[int, float], None]
) -> int:
    """Have what one host's program prints read by another's, while both run; the sender's exit code.

    Args:
        stdin: for the sending program.
        tell: called now and then with the bytes that have travelled and the seconds it took.

    Raises:
        Broken: the receiver failed, or the sender with more than 1 (which is tar's word for: it has changed).
    """
    begin = last = time.monotonic()
    ours, theirs = _start(source, send), _start(target, receive)
    errors: dict[Any, list[bytes]] = {ours: [], theirs: []}
    talk = [gevent.spawn(_send, ours, stdin), *(gevent.spawn(_errors, one, errors[one]) for one in errors)]
    travelled = 0
    try:
        while block := ours.recv(BLOCK):
            theirs.sendall(block)
            travelled += len(block)
            if time.monotonic() - last > TELL_S:
                last = time.monotonic()
                tell(travelled, last - begin)
        theirs.shutdown_write()
    except OSError as error:
        raise Broken(f"{source.name} to {target.name}: {error}. {_text(errors[theirs])}") from error
    code, received = ours.recv_exit_status(), theirs.recv_exit_status()
    gevent.joinall(talk)
    if received or code > 1 or code < 0:
        failed = target if received else source
        words = _text(errors[theirs] if received else errors[ours])
        raise Broken(f"{failed.name}: {words or 'the connection has ended'}")
    return code


def _send(channel: Any, data: bytes) -> None:
    try:
        channel.sendall(data)
        channel.shutdown_write()
    except OSError:
        # The program has ended before it read all; its exit code says why.
        return


def _errors(channel: Any, into: list[bytes]) -> None:
    while block := channel.recv_stderr(BLOCK):
        # Enough to know why; a program that complains of each of a million files is not kept whole.
        if sum(map(len, into)) < BLOCK:
            into.append(block)


def _text(blocks: list[bytes]) -> str:
    return b"".join(blocks).decode(errors="replace").strip()[-1000:]

"""Commands that only look: a host that does not answer is a line of their answer, not the end of it.

pyinfra ends a run where one host does not connect, or goes on without it and forgets it; and it tries for a
minute before it does. A command of `LOOKS` runs on every host of the inventory instead, also on those that
are not connected: their operations ask by `ask`, which raises `Silent` there, with the reason.
"""

from __future__ import annotations

import logging
from typing import Any

import gevent
from paramiko import SSHException
from pyinfra import host
from pyinfra.api.exceptions import ConnectError

from steps.connection import hang_up

# A healthy host connects within a fraction of a second, one behind a jump host within two.
CONNECT_WITHIN_S = 5
# Jump hosts turn some away when many come at once (sshd's MaxStartups): seconds before each further try.
AGAIN_AFTER_S = (0.2, 0.5, 1.0)
ANSWER_WITHIN_S = 10

_silent: dict[str, str] = {}


class Silent(Exception):
    """A host that has not answered; its text says why."""


def silent() -> dict[str, str]:
    """`{host: why}` of the hosts of this run that could not be connected to."""
    return dict(_silent)


def ask(script: str, within_s: float = ANSWER_WITHIN_S) -> list[str]:
    """The lines that a shell script prints on the current host, as root; one round trip.

    Raises Silent where the host is not connected, does not answer in time, or the script fails.
    """
    if host.name in _silent:
        raise Silent(_silent[host.name])
    try:
        done, output = host.run_shell_command(
            script, _sudo=bool(host.data.get("_sudo")), _timeout=int(within_s)
        )
    except TimeoutError:
        raise Silent(f"is connected, but does not answer within {within_s:g} s") from None
    except (OSError, EOFError, SSHException) as error:
        raise Silent(f"the connection has ended: {error}") from None
    if not done:
        raise Silent(f"cannot be read: {(output.stderr_lines or ['the script failed'])[-1]}")
    return output.stdout_lines


def connect_to_all_that_answer(state: Any) -> None:
    """In place of pyinfra's `connect_all`: every host takes part, those that are not there as `silent`."""
    # What paramiko has to say of a host that is given up is in the answer, without a traceback.
    logging.getLogger("paramiko.transport").setLevel(logging.CRITICAL)
    hosts = [one for one in state.inventory if state.is_host_in_limit(one)]
    for one, connecting in [(one, state.pool.spawn(_connect, one)) for one in hosts]:
        if reason := connecting.get():
            _silent[one.name] = reason
        state.activate_host(one)


def _connect(host: Any) -> str:
    """Connect to a host; why it cannot be, empty where it can."""
    host.connector.data["ssh_connect_retries"] = 0
    reason = f"does not answer within {CONNECT_WITHIN_S} s"
    try:
        with gevent.Timeout(CONNECT_WITHIN_S):
            for pause in (*AGAIN_AFTER_S, 0.0):
                try:
                    host.connect(show_errors=False, raise_exceptions=True)
                    return ""
                except ConnectError as error:
                    reason = str(error.args[0])
                gevent.sleep(pause)
    except gevent.Timeout:
        hang_up(host)
    return reason

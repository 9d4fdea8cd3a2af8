"""Reboot hosts one at a time, their jobs saved, and stop at the first that does not come back well.

pyinfra's own `_serial` goes on to the next host after a failure, and would reboot a jump host under the feet
of the hosts behind it.
"""

from __future__ import annotations

import logging
import shlex
import time
from collections.abc import Callable
from typing import Any

from gevent.lock import BoundedSemaphore
from pyinfra import logger

from steps.connection import hang_up
from steps.refusal import complain
from steps.shell import Output

PATIENCE_S = 600
BOOT_ID = "cat /proc/sys/kernel/random/boot_id"
# Studios are told to stop before the host goes down: systemd would end engine and web server of each at the
# same moment, and their jobs would wait for a lease to run out. Docker does not start again what was stopped,
# hence the list for docker-heal. All of it is a unit of the host, which ends whatever becomes of this run.
AT_BOOT = "/srv/vibevoice/start-at-boot"
SAVE_AND_REBOOT = f"""
names=$(docker ps --filter label=vibevoice.project --format '{{{{.Names}}}}' 2>/dev/null)
if [ -n "$names" ]; then
    echo "$names" > {AT_BOOT}.new && mv -f {AT_BOOT}.new {AT_BOOT}
    docker stop $names
fi
systemctl reboot
"""

_turn = BoundedSemaphore(1)
_stopped_by: list[str] = []


def reboot_in_turn(state: Any, host: Any, reason: str, proof: Callable[[], list[str]]) -> bool:
    """Reboot the host once it is its turn; wait for it; prove it well.

    Args:
        reason: why, for the log.
        proof: called on the rebooted host; what it returns is wrong, and stops the hosts still waiting.
    """
    with _turn:
        if _stopped_by:
            return complain(host, f"Not rebooted ({reason}): repair {_stopped_by[0]} first.")
        host.log_styled(f"Rebooting: {reason}", fg="yellow", log_func=logger.info)
        # Hosts behind this one lose their connection with it; they wait for their turn, asking nothing.
        behind = [other for other in state.inventory.get_active_hosts() if _jump(other) == host.name]
        for other in behind:
            hang_up(other)
        wrong = _reboot(host) or proof()
        for other in behind:
            other.connect(show_errors=False)
        if wrong:
            _stopped_by.append(host.name)
            return complain(host, "\n".join(wrong))
        return True


def _reboot(host: Any) -> list[str]:
    before = _boot_id(host)
    unit = "systemd-run --quiet --collect --on-active=1s --unit=vibevoice-reboot"
    host.get_fact(Output, script=f"{unit} sh -c {shlex.quote(SAVE_AND_REBOOT)}")
    # We hang up first: a connection that the host cuts counts as trouble.
    hang_up(host)
    deadline = time.monotonic() + PATIENCE_S
    time.sleep(3)
    while time.monotonic() < deadline:
        hang_up(host)
        if _arrive(host) and (now := _boot_id(host)) and now != before:
            # Services are still starting; the proof needs them.
            host.get_fact(Output, script="timeout 120 systemctl is-system-running --wait")
            return []
        time.sleep(2)
    return [f"did not come back from its reboot within {PATIENCE_S // 60} min. Look at its console."]


def _boot_id(host: Any) -> str:
    """The running boot's id; empty where the host does not answer, which is no failure while it reboots."""
    try:
        succeeded, output = host.run_shell_command(BOOT_ID, _sudo=False, _timeout=20)
    except Exception:
        return ""
    return output.stdout.strip() if succeeded else ""


def _arrive(host: Any) -> bool:
    # That nobody answers yet is what we are waiting for; paramiko would report each try.
    talk = logging.getLogger("paramiko.transport")
    level = talk.level
    talk.setLevel(logging.CRITICAL)
    try:
        host.connect(show_errors=False)
    except Exception:
        return False
    finally:
        talk.setLevel(level)
    return host.connected


def _jump(host: Any) -> str | None:
    member = host.data.get("member")
    return member.ssh.jump if member is not None else None

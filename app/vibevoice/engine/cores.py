"""An engine without a GPU takes whole cores for minutes: those who answer people, or start, go first."""

import os
import time
from pathlib import Path

# A third of the share of anybody else who has as much to do.
NICE = 5
AUTOGROUP = Path("/proc/self/autogroup")
# The kernel takes one such wish every tenth of a second.
TRIES, PAUSE_S = 20, 0.1


def give_way() -> None:
    """Run this process's threads, and those that it will start, behind all that is not as patient.

    Without competition it runs as fast as before.
    """
    if os.getsid(0) != os.getpid():
        # Where the kernel schedules sessions, not processes, being nice counts within the session alone.
        os.setsid()
    for thread in os.listdir("/proc/self/task"):
        os.setpriority(os.PRIO_PROCESS, int(thread), NICE)
    for _ in range(TRIES):
        try:
            AUTOGROUP.write_text(str(NICE))
            return
        except BlockingIOError:
            time.sleep(PAUSE_S)
        except OSError:
            return  # a kernel without such groups

"""Who runs this, as marks, locks and histories on the hosts name them. Pure."""

import getpass
import socket


def whoami() -> str:
    """user@machine."""
    return f"{getpass.getuser()}@{socket.gethostname()}"

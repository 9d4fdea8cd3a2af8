"""`python -m vibevoice`: run the studio that the environment describes."""

import logging
import os
import signal
import sys
from types import FrameType

log = logging.getLogger("vibevoice")


def _leave(sig: int, frame: FrameType | None) -> None:
    os._exit(0)


# As process 1 of a container this is deaf to SIGTERM until it says otherwise, and the imports take seconds.
signal.signal(signal.SIGTERM, _leave)
# It has no GPU to lend yet.
signal.signal(signal.SIGUSR1, signal.SIG_IGN)


def main() -> int:
    """Serve until told to stop.

    Returns 0 after a drained stop, 1 if engine or store failed, 2 if the settings are wrong.
    """
    from . import logs
    from .settings import Settings, SettingsError

    try:
        settings = Settings.from_env(os.environ)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    logs.configure(settings.log_format)

    from prometheus_client import start_http_server

    from .api import application
    from .api.limits import Limits
    from .api.metrics import registry
    from .jobs.store import StoreError
    from .script import ScriptError
    from .server import Server
    from .studio import Studio
    from .ui.page import mount

    try:
        studio = Studio.from_settings(settings)
    except ScriptError as error:
        print(f"VV_DISCLAIMER is {settings.disclaimer!r}: {error}", file=sys.stderr)
        return 2
    except StoreError as error:
        log.error("%s. VV_DATA_DIR must name a folder that this user may write.", error)
        return 1
    start_http_server(settings.metrics_port, settings.host, registry(studio))
    server = Server(Limits(mount(application(studio), studio), studio), studio)
    signal.signal(signal.SIGUSR1, server.lend)
    server.run()
    code = 1 if studio.lost else 0
    logging.shutdown()
    if not studio.engine.join(1.0):
        # Told to stop at once: the engine's process ends with this one.
        os._exit(code)
    return code


if __name__ == "__main__":
    sys.exit(main())

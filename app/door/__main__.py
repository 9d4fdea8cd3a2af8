"""`python -m door`: serve, or do what operators need a shell for, with what the environment says."""

import argparse
import json
import logging
import os
import signal
import sqlite3
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType


def _leave(sig: int, frame: FrameType | None) -> None:
    os._exit(0)


# As process 1 of a container this is deaf to SIGTERM until it says otherwise.
signal.signal(signal.SIGTERM, _leave)

from .config import ConfigError  # noqa: E402
from .desk import Desk  # noqa: E402
from .people import NotInvitable, Unavailable  # noqa: E402


class Mistake(Exception):
    """What the operator asked for cannot be done; the message says why, and what to do."""


@dataclass(frozen=True)
class Settings:
    """What the environment says.

    Args:
        config: DOOR_CONFIG, the site's configuration.
        data: DOOR_DATA, the folder that both doors share.
        host: DOOR_HOST, the address to listen on.
        port: DOOR_PORT; 0: any that is free.
    """

    config: Path
    data: Path
    host: str
    port: int

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "Settings":
        """Raises Mistake. An empty value counts as unset."""
        port = environ.get("DOOR_PORT") or "8901"
        if not port.isascii() or not port.isdigit() or int(port) > 65535:
            raise Mistake(f"DOOR_PORT is {port!r}, which is no port. Set it to a number from 0 to 65535.")
        return cls(
            config=Path(environ.get("DOOR_CONFIG") or "/etc/vibevoice/door/site.json"),
            data=Path(environ.get("DOOR_DATA") or "/data"),
            host=environ.get("DOOR_HOST") or "127.0.0.1",
            port=int(port),
        )

    def desk(self) -> Desk:
        """Raises Mistake."""
        try:
            return Desk(self.config, self.data)
        except FileNotFoundError as error:
            raise Mistake(f"{error.filename} is missing. The deploy writes it: run it again.") from None
        except ConfigError as error:
            raise Mistake(f"{error}. Correct the inventory, and deploy again.") from None
        except PermissionError as error:
            raise Mistake(
                f"{error.filename or self.data} may not be used by user {os.getuid()}. Give it {self.data}."
            ) from None
        except (OSError, ValueError, Unavailable, sqlite3.Error) as error:
            raise Mistake(
                f"The door cannot start on {self.data}: {error}. Is the disk full or read-only?"
            ) from None


def serve(settings: Settings, asked: argparse.Namespace) -> None:
    """Until told to stop."""
    from .app import application
    from .server import Server

    desk = settings.desk()
    desk.note_config()
    try:
        Server(application(desk), settings.host, settings.port).run()
    except SystemExit:
        # The log has the reason; uvicorn would end with 1 and no more words.
        place = f"{settings.host}:{settings.port}"
        raise Mistake(f"The door could not start on {place}. Is another one running there?") from None
    finally:
        desk.close()


def invite(settings: Settings, asked: argparse.Namespace) -> None:
    """Prints the address where USER sets a password."""
    desk = settings.desk()
    try:
        token = desk.invite(asked.user)
    except NotInvitable as error:
        raise Mistake(str(error)) from None
    print(f"https://{desk.config.domain}/vibevoice/door/invite/{token}")


def end(settings: Settings, asked: argparse.Namespace) -> None:
    """Ends sessions and keys of USER."""
    desk = settings.desk()
    sessions, keys = desk.end(asked.user)
    if not sessions and not keys and desk.person(asked.user) is None:
        raise Mistake(f"Nobody is called {asked.user!r}. `python -m door people` lists everybody.")
    print(f"Ended {sessions} sessions and {keys} keys of {asked.user}.")


def probe(settings: Settings, asked: argparse.Namespace) -> None:
    """Prints a line for each PROJECT: its name, and a token for its health that lives two minutes."""
    desk = settings.desk()
    for name in asked.project:
        if desk.config.project(name) is None:
            known = ", ".join(project.name for project in desk.config.projects)
            raise Mistake(f"No project is called {name!r}. There are: {known or 'none'}.")
    for name in asked.project:
        print(name, desk.signing.probe(name))


def people(settings: Settings, asked: argparse.Namespace) -> None:
    """Prints everybody as JSON."""
    desk = settings.desk()
    print(json.dumps({"people": desk.everybody()}, indent=2, ensure_ascii=False))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m door", description="Who may enter which studio.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for verb, words in (
        (serve, "run the door"),
        (invite, "print an address where USER sets a password"),
        (end, "end all sessions and keys of USER"),
        (probe, "print tokens for the health of projects, good for two minutes"),
        (people, "print everybody as JSON: passwords, sessions, keys, last login"),
    ):
        command = commands.add_parser(verb.__name__, help=words)
        command.set_defaults(verb=verb)
        if verb in (invite, end):
            command.add_argument("user", metavar="USER")
        if verb is probe:
            command.add_argument("project", metavar="PROJECT", nargs="+")
    return parser


def main() -> int:
    """0: done; 1: not possible, and the last line says why; 2: no such command."""
    asked = _parser().parse_args()
    level = logging.INFO if asked.verb is serve else logging.WARNING
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # They tell of each request that we make.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        asked.verb(Settings.from_env(os.environ), asked)
    except (Mistake, Unavailable) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

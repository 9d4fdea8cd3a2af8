"""The configuration in force: the file's, as long as it can be understood."""

import logging
import os
import threading
from pathlib import Path

from .config import Config, ConfigError

log = logging.getLogger(__name__)


class ConfigFile:
    """Follows a file. Raises ConfigError or OSError if there is nothing usable to start with."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._seen = self._look()
        try:
            self.config = Config.parse(path.read_bytes())
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from None

    def follow(self) -> bool:
        """Read the file if it changed. Returns whether another configuration is in force since.

        Costs a few microseconds if nothing did. What cannot be read or understood changes nothing: the log
        says what is wrong with it, once.
        """
        # Looked at before it is read: what is written in between is seen the next time.
        seen = self._look()
        if seen == self._seen:
            return False
        with self._lock:
            if seen == self._seen:
                return False
            self._seen = seen
            try:
                config = Config.parse(self._path.read_bytes())
            except (ConfigError, OSError) as error:
                log.error("%s: %s. The configuration from before stays in force.", self._path, error)
                return False
            if config.digest == self.config.digest:
                return False
            self.config = config
            return True

    def _look(self) -> tuple[int, ...]:
        try:
            found = os.stat(self._path)
        except OSError:
            return ()
        return found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_size

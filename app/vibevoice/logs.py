"""What the studio writes to its log: a JSON object a line for machines, or words for a terminal.

No line ever holds what somebody wrote: of a script there is a job's id, and whoever may see the job finds the
words there.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Literal

Format = Literal["json", "text"]
VARIABLE = "VV_LOG_FORMAT"
"""Read by the engine's process as well, which inherits the environment and knows no other settings."""
FIELDS = ("job", "user", "segment", "runner", "state", "reason", "audio_s", "seconds")
"""What a line may say besides, by `extra`; anything else is dropped, lest a text gets in by its name."""
TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class Lines(logging.Formatter):
    """A record as one JSON object: time (UTC), level, logger, message, those of FIELDS, and an exception."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, object] = {
            "time": moment.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name in FIELDS if (value := getattr(record, name, None)) is not None}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class Words(logging.Formatter):
    """A record as a line for people, its fields behind it."""

    def format(self, record: logging.LogRecord) -> str:
        fields = [f"{name}={value}" for name in FIELDS if (value := getattr(record, name, None)) is not None]
        first, line, rest = super().format(record).partition("\n")
        return " ".join([first, *fields]) + line + rest


def configure(format: str | None) -> None:
    """Let everything in this process that logs or warns write to standard error.

    Args:
        format: `text`; `json` in every other case, so that nothing is lost for a word that is not known.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Words(TEXT) if format == "text" else Lines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(True)
    # httpx tells of each request that gradio makes to itself.
    logging.getLogger("httpx").setLevel(logging.WARNING)

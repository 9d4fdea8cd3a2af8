"""The mark of a drained node: who has taken it out of service, since when, why. Pure."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass

from fleet.operator import whoami

PATH = "/srv/vibevoice/drained"
# Shell that prints the mark. A file without a word is a mark, too.
LOOK = f"if [ -s {PATH} ]; then cat {PATH}; elif [ -e {PATH} ]; then echo '?'; fi"


@dataclass(frozen=True)
class Mark:
    """A node is drained: `who` (user@machine), `since` in seconds since the epoch, `why`."""

    who: str
    since: int
    why: str

    def as_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=False)

    def words(self, now: float) -> str:
        """ "drained for 5 min by ops@desk (new PSU)"."""
        why = f" ({self.why})" if self.why else ""
        return f"drained for {_span(now - self.since)} by {self.who}{why}"


def mine(why: str) -> Mark:
    """The mark that this operator makes now."""
    return Mark(whoami(), int(time.time()), " ".join(why.split()))


def read(text: str) -> Mark | None:
    """The mark that the file holds; None where there is no file.

    A file that somebody has made by hand counts, whatever it says: its being there is what starts nothing.
    """
    if not text.strip():
        return None
    try:
        found = json.loads(text)
        return Mark(str(found["who"]), int(found["since"]), str(found.get("why") or ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        return Mark("somebody", int(time.time()), " ".join(text.split())[:200])


def _span(seconds: float) -> str:
    minutes = max(0, round(seconds / 60))
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // (24 * 60)} days"

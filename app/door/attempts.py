"""How often somebody failed lately, and who was seen where: shared by both processes, and no loss if lost.

A bucket fills with failures and leaks one every 6 s. It is kept as the moment when it will be empty.
"""

import hashlib
import logging
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .addresses import counted
from .database import Database, alone
from .people import Slowed, Unavailable

log = logging.getLogger(__name__)

SCHEMA = (
    """
    CREATE TABLE buckets (name TEXT PRIMARY KEY, empty_at REAL NOT NULL) WITHOUT ROWID;
    CREATE INDEX buckets_by_time ON buckets (empty_at);
    CREATE TABLE arrivals (
        person TEXT NOT NULL, address TEXT NOT NULL, at REAL NOT NULL,
        PRIMARY KEY (person, address)) WITHOUT ROWID;
    CREATE TABLE uses (key TEXT PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID
    """,
)
LEAK_S = 6
ADDRESS_BURST = 10
NAME_BURST = 20
DEVICE_BURST = 10
KNOWN_S = 30 * 86400
# An arrival or use is written again only when this much has passed.
ARRIVAL_S = 3600
USE_S = 60


@dataclass(frozen=True)
class Try:
    """One attempt to log in, by the buckets that may hold it up: (name in the database, burst)."""

    buckets: tuple[tuple[str, int], ...]


class Attempts:
    """attempts.db. Writes are not synced; they raise Unavailable where they cannot be done at all."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._clock = clock
        _discard_if_broken(path)
        self._db = Database(path, SCHEMA, "OFF")

    def close(self) -> None:
        self._db.close()

    # --- failures ---

    def judge(self, name: str, address: str, device: str | None) -> Try:
        """What counts for a login as `name`.

        Args:
            device: identifies a browser in which `name` logged in before; None for any other. Whoever else
                fails, from wherever, never holds it up.
        """
        if device is not None:
            return Try(((f"device {_short(device)}", DEVICE_BURST),))
        at = (f"address {counted(address)}", ADDRESS_BURST)
        if self._has_arrived(name, address):
            return Try((at,))
        return Try((at, (f"name {_short(name)}", NAME_BURST)))

    def look(self, attempt: Try) -> None:
        """Raises Slowed if the attempt is to be refused unheard. Writes nothing."""
        now = self._clock()
        marks = ", ".join("?" * len(attempt.buckets))
        query = f"SELECT name, empty_at FROM buckets WHERE name IN ({marks})"
        rows = self._db.read(query, [name for name, _ in attempt.buckets])
        _weigh(attempt, dict(rows), now)

    def take(self, attempt: Try) -> None:
        """Count a failure before it happens, so that many at once gain nothing. Raises Slowed too."""
        now = self._clock()
        with self._db.write() as db:
            found = {name: _empty_at(db, name) for name, _ in attempt.buckets}
            _weigh(attempt, found, now)
            for name, burst in attempt.buckets:
                empty_at = now + _left(found, name, burst, now) + LEAK_S
                db.execute("INSERT OR REPLACE INTO buckets (name, empty_at) VALUES (?, ?)", (name, empty_at))

    def give_back(self, attempt: Try) -> None:
        """It was no failure."""
        with self._db.write() as db:
            for name, _ in attempt.buckets:
                db.execute("UPDATE buckets SET empty_at = empty_at - ? WHERE name = ?", (LEAK_S, name))

    # --- who was seen where ---

    def arrived(self, person: str, address: str) -> None:
        """`person` logged in from `address`: for 30 days, failures elsewhere do not hold them up there."""
        now, place = self._clock(), counted(address)
        if not self._seen(person, place, now - ARRIVAL_S):
            with self._db.write() as db:
                row = (person, place, now)
                db.execute("INSERT OR REPLACE INTO arrivals (person, address, at) VALUES (?, ?, ?)", row)

    def _has_arrived(self, person: str, address: str) -> bool:
        place = counted(address)
        return place != "unknown" and self._seen(person, place, self._clock() - KNOWN_S)

    def _seen(self, person: str, place: str, since: float) -> bool:
        query = "SELECT 1 FROM arrivals WHERE person = ? AND address = ? AND at > ?"
        return bool(self._db.read(query, (person, place, since)))

    def last_arrivals(self) -> dict[str, float]:
        """When everybody was last seen logging in (Unix seconds)."""
        return dict(self._db.read("SELECT person, MAX(at) FROM arrivals GROUP BY person"))

    # --- keys ---

    def used(self, key: str) -> None:
        """A key was used just now. Written at most once a minute, here so that it disturbs no cache."""
        now = self._clock()
        if not self._db.read("SELECT 1 FROM uses WHERE key = ? AND at > ?", (key, now - USE_S)):
            with self._db.write() as db:
                db.execute("INSERT OR REPLACE INTO uses (key, at) VALUES (?, ?)", (key, now))

    def last_use(self, key: str) -> float | None:
        rows = self._db.read("SELECT at FROM uses WHERE key = ?", (key,))
        return rows[0][0] if rows else None

    # --- housekeeping ---

    def forget_old(self, key_days: float) -> None:
        """Drop empty buckets, old arrivals, and the uses of keys that cannot exist any more."""
        now = self._clock()
        with self._db.write() as db:
            db.execute("DELETE FROM buckets WHERE empty_at <= ?", (now,))
            db.execute("DELETE FROM arrivals WHERE at <= ?", (now - KNOWN_S,))
            db.execute("DELETE FROM uses WHERE at <= ?", (now - key_days * 86400,))


def _weigh(attempt: Try, empty_at: dict[str, float], now: float) -> None:
    """Raises Slowed with the longest wait of all buckets that have no room for one more failure."""
    waits = [_left(empty_at, name, burst, now) - (burst - 1) * LEAK_S for name, burst in attempt.buckets]
    if max(waits) > 0:
        raise Slowed(max(waits))


def _left(empty_at: dict[str, float], name: str, burst: int, now: float) -> float:
    """Seconds until a bucket is empty; 0 too where it is fuller than full, because the clock was set back."""
    left = empty_at.get(name, now) - now
    return left if 0 < left <= burst * LEAK_S else 0


def _empty_at(db: sqlite3.Connection, name: str) -> float:
    row = db.execute("SELECT empty_at FROM buckets WHERE name = ?", (name,)).fetchone()
    return row[0] if row else 0.0


def _short(name: str) -> str:
    """Whatever somebody types as a name takes no more room than a digest."""
    return hashlib.sha256(name.encode(errors="replace")).hexdigest()[:32]


def _discard_if_broken(path: Path) -> None:
    """What is not synced may be torn by a power cut. It is thrown away: everybody starts without failures."""
    if not path.exists():
        return
    with alone(path.parent):
        try:
            connection = sqlite3.connect(path, timeout=5)
            sound = connection.execute("PRAGMA quick_check").fetchall() == [("ok",)]
            connection.close()
        except sqlite3.OperationalError as error:
            raise Unavailable(f"{path} cannot be read: {error}") from error
        except sqlite3.DatabaseError:
            sound = False
        if not sound:
            log.warning("%s was torn, by a power cut perhaps: starting with a new one", path)
            for suffix in ("", "-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)

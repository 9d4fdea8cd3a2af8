"""What must survive a power cut: sessions, keys, passwords set by invitation, who signed on."""

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from .database import Database
from .people import Person

SCHEMA = (
    """
    CREATE TABLE sessions (
        id_hash BLOB PRIMARY KEY, person TEXT NOT NULL, stamp TEXT NOT NULL, via TEXT NOT NULL,
        created REAL NOT NULL, expires REAL NOT NULL) WITHOUT ROWID;
    CREATE INDEX sessions_of ON sessions (person);
    CREATE TABLE keys (
        id TEXT PRIMARY KEY, hash BLOB NOT NULL, person TEXT NOT NULL, project TEXT NOT NULL,
        name TEXT NOT NULL, stamp TEXT NOT NULL, created REAL NOT NULL, expires REAL NOT NULL) WITHOUT ROWID;
    CREATE INDEX keys_of ON keys (person);
    CREATE TABLE passwords (person TEXT PRIMARY KEY, hash TEXT NOT NULL, changed REAL NOT NULL) WITHOUT ROWID;
    CREATE TABLE people (
        name TEXT PRIMARY KEY, provider TEXT NOT NULL, groups TEXT NOT NULL,
        signed_on REAL NOT NULL) WITHOUT ROWID
    """,
)
# A program that logs in again and again must not fill the disk: the oldest goes.
SESSIONS_EACH = 100


@dataclass(frozen=True)
class StoredSession:
    id_hash: bytes
    person: str
    stamp: str
    via: str
    created: float
    expires: float


@dataclass(frozen=True)
class StoredKey:
    id: str
    hash: bytes
    person: str
    project: str
    name: str
    stamp: str
    created: float
    expires: float


class Store:
    """door.db. Reads never wait; every write is synced to disk, and raises Unavailable if it cannot be."""

    def __init__(self, path: Path) -> None:
        self._db = Database(path, SCHEMA, "FULL")
        self._read, self._write = self._db.read, self._db.write

    @property
    def version(self) -> int:
        """Another number whenever anything changed, whoever changed it."""
        return self._db.version

    def close(self) -> None:
        self._db.close()

    # --- sessions ---

    def session(self, id_hash: bytes) -> StoredSession | None:
        rows = self._read(f"SELECT {_columns(StoredSession)} FROM sessions WHERE id_hash = ?", (id_hash,))
        return StoredSession(*rows[0]) if rows else None

    def add_session(self, session: StoredSession) -> None:
        with self._write() as db:
            _insert(db, "sessions", vars(session))
            db.execute(
                "DELETE FROM sessions WHERE id_hash IN (SELECT id_hash FROM sessions WHERE person = ?"
                " ORDER BY created DESC LIMIT -1 OFFSET ?)",
                (session.person, SESSIONS_EACH),
            )

    def drop_session(self, id_hash: bytes) -> None:
        with self._write() as db:
            db.execute("DELETE FROM sessions WHERE id_hash = ?", (id_hash,))

    # --- keys ---

    def key(self, id: str) -> StoredKey | None:
        rows = self._read(f"SELECT {_columns(StoredKey)} FROM keys WHERE id = ?", (id,))
        return StoredKey(*rows[0]) if rows else None

    def keys_of(self, person: str) -> list[StoredKey]:
        """Oldest first."""
        query = f"SELECT {_columns(StoredKey)} FROM keys WHERE person = ? ORDER BY created, id"
        return [StoredKey(*row) for row in self._read(query, (person,))]

    def add_key(self, key: StoredKey) -> None:
        with self._write() as db:
            _insert(db, "keys", vars(key))

    def drop_key(self, person: str, id: str) -> bool:
        """Whether that person had such a key."""
        with self._write() as db:
            return db.execute("DELETE FROM keys WHERE id = ? AND person = ?", (id, person)).rowcount == 1

    # --- passwords and people ---

    def password(self, person: str) -> str | None:
        """The hash of the password that was set by invitation."""
        rows = self._read("SELECT hash FROM passwords WHERE person = ?", (person,))
        return rows[0][0] if rows else None

    def set_password(self, person: str, hash: str, now: float) -> None:
        """Ends the person's sessions and keys with it."""
        with self._write() as db:
            _insert(db, "passwords", replace=True, row={"person": person, "hash": hash, "changed": now})
            _end(db, person)

    def signed_on(self, name: str) -> tuple[Person, float] | None:
        """A sign-on person as last seen, and when (Unix seconds)."""
        rows = self._read("SELECT provider, groups, signed_on FROM people WHERE name = ?", (name,))
        if not rows:
            return None
        provider, groups, signed_on = rows[0]
        return Person(name, frozenset(json.loads(groups)), provider), signed_on

    def remember(self, person: Person, now: float) -> None:
        with self._write() as db:
            groups = json.dumps(sorted(person.groups))
            row = {"name": person.name, "provider": person.provider, "groups": groups, "signed_on": now}
            _insert(db, "people", row, replace=True)

    def end(self, person: str) -> tuple[int, int]:
        """Ends a person's sessions and keys. Returns how many there were of each."""
        with self._write() as db:
            return _end(db, person)

    # --- housekeeping ---

    def forget_strangers(
        self,
        stamp: Callable[[str], str | None],
        keeps_password: Callable[[str], bool],
        may_hold: Callable[[str, str], bool],
    ) -> None:
        """Drop what is no longer anybody's, so that nothing revives when a name or a password comes back.

        Args:
            stamp: of a person by name, as it is now; None for strangers.
            keeps_password: whether a password set by invitation is that person's.
            may_hold: whether that person may have keys of a project.
        """
        holders = self._read("SELECT person, stamp FROM sessions UNION SELECT person, stamp FROM keys")
        ended = [(person, was) for person, was in holders if stamp(person) != was]
        passwords = self._read("SELECT person FROM passwords")
        void = [(person,) for (person,) in passwords if not keeps_password(person)]
        gone = [(name,) for (name,) in self._read("SELECT name FROM people") if stamp(name) is None]
        pairs = self._read("SELECT DISTINCT person, project FROM keys")
        locked_out = [pair for pair in pairs if not may_hold(*pair)]
        if ended or void or gone or locked_out:
            with self._write() as db:
                db.executemany("DELETE FROM sessions WHERE person = ? AND stamp = ?", ended)
                db.executemany("DELETE FROM keys WHERE person = ? AND stamp = ?", ended)
                db.executemany("DELETE FROM passwords WHERE person = ?", void)
                db.executemany("DELETE FROM people WHERE name = ?", gone)
                db.executemany("DELETE FROM keys WHERE person = ? AND project = ?", locked_out)

    def forget_expired(self, now: float) -> None:
        """Drop sessions and keys that are over. Writes only if there are any."""
        due = "SELECT 1 FROM {} WHERE expires <= ? LIMIT 1"
        tables = [table for table in ("sessions", "keys") if self._read(due.format(table), (now,))]
        if tables:
            with self._write() as db:
                for table in tables:
                    db.execute(f"DELETE FROM {table} WHERE expires <= ?", (now,))

    def counts(self) -> dict[str, tuple[int, int]]:
        """Sessions and keys of everybody who has any."""
        rows = self._read(
            "SELECT person, SUM(session), SUM(1 - session) FROM (SELECT person, 1 AS session FROM sessions"
            " UNION ALL SELECT person, 0 FROM keys) GROUP BY person"
        )
        return {person: (sessions, keys) for person, sessions, keys in rows}

    def everybody_signed_on(self) -> dict[str, float]:
        """When each sign-on person last did (Unix seconds)."""
        return dict(self._read("SELECT name, signed_on FROM people"))


def _columns(kind: type) -> str:
    """By name: a newer version's tables may have more."""
    return ", ".join(field.name for field in fields(kind))


def _insert(db: sqlite3.Connection, table: str, row: dict[str, Any], replace: bool = False) -> None:
    verb = "INSERT OR REPLACE" if replace else "INSERT"
    marks = ", ".join(f":{name}" for name in row)
    db.execute(f"{verb} INTO {table} ({', '.join(row)}) VALUES ({marks})", row)


def _end(db: sqlite3.Connection, person: str) -> tuple[int, int]:
    sessions = db.execute("DELETE FROM sessions WHERE person = ?", (person,)).rowcount
    return sessions, db.execute("DELETE FROM keys WHERE person = ?", (person,)).rowcount

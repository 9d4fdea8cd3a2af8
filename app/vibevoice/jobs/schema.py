"""The job store's tables, and how an older store gets those of today.

Containers of two versions share a store during a rollout. So a step only ever adds: tables, indexes, columns
with a default. It never changes what there is, and code names the columns that it reads and writes. An older
version then works with a newer store as if nothing were there that it does not know.
"""

JOBS = (
    (
        # `turn` is a job's place in the queue among equals: at first its order of submission.
        """CREATE TABLE jobs (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            user TEXT NOT NULL,
            kind TEXT NOT NULL,
            state TEXT NOT NULL,
            title TEXT NOT NULL,
            speakers TEXT NOT NULL,
            voices TEXT NOT NULL,
            seed INTEGER NOT NULL,
            guidance REAL,
            steps INTEGER,
            one_take INTEGER NOT NULL,
            format TEXT NOT NULL,
            batch TEXT,
            created REAL NOT NULL,
            started REAL,
            ended REAL,
            turn INTEGER NOT NULL,
            runner TEXT,
            epoch INTEGER NOT NULL DEFAULT 0,
            lease_from REAL NOT NULL DEFAULT 0,
            lease_until REAL NOT NULL DEFAULT 0,
            cancelling INTEGER NOT NULL DEFAULT 0,
            reason TEXT NOT NULL DEFAULT '',
            error_type TEXT NOT NULL DEFAULT '',
            error_message TEXT NOT NULL DEFAULT ''
        )""",
        "CREATE INDEX jobs_by_state ON jobs (state, ended)",
        "CREATE INDEX jobs_by_user ON jobs (user, kind, number)",
        "CREATE INDEX jobs_by_turn ON jobs (turn)",
        # Apart from the jobs: whoever lists, searches titles or plans reads no scripts.
        """CREATE TABLE scripts (
            job INTEGER PRIMARY KEY REFERENCES jobs ON DELETE CASCADE,
            script TEXT NOT NULL,
            turns TEXT NOT NULL
        )""",
        # `takes`: how many there have been, so that no number, and no file's name, comes twice.
        """CREATE TABLE segments (
            job INTEGER NOT NULL REFERENCES jobs ON DELETE CASCADE,
            n INTEGER NOT NULL,
            first INTEGER NOT NULL,
            last INTEGER NOT NULL,
            estimate_s REAL NOT NULL,
            heard INTEGER,
            coming INTEGER,
            takes INTEGER NOT NULL DEFAULT 1,
            PRIMARY KEY (job, n)
        ) WITHOUT ROWID""",
        """CREATE TABLE takes (
            job INTEGER NOT NULL REFERENCES jobs ON DELETE CASCADE,
            n INTEGER NOT NULL,
            number INTEGER NOT NULL,
            seed INTEGER NOT NULL,
            state TEXT NOT NULL DEFAULT 'waiting',
            capped INTEGER NOT NULL DEFAULT 0,
            weights TEXT NOT NULL DEFAULT '',
            frame_bytes INTEGER NOT NULL DEFAULT 0,
            parts TEXT NOT NULL DEFAULT '[]',
            PRIMARY KEY (job, n, number)
        ) WITHOUT ROWID""",
        """CREATE TABLE pieces (
            job INTEGER NOT NULL REFERENCES jobs ON DELETE CASCADE,
            n INTEGER NOT NULL,
            take INTEGER NOT NULL,
            epoch INTEGER NOT NULL,
            samples INTEGER NOT NULL,
            frames INTEGER NOT NULL,
            PRIMARY KEY (job, n, take, epoch)
        ) WITHOUT ROWID""",
        # AUTOINCREMENT: a number that was told to somebody is never another event's.
        """CREATE TABLE events (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            job INTEGER NOT NULL REFERENCES jobs ON DELETE CASCADE,
            kind TEXT NOT NULL,
            data TEXT NOT NULL
        )""",
        "CREATE INDEX events_by_job ON events (job, kind)",
        """CREATE TABLE keys (
            user TEXT NOT NULL,
            key TEXT NOT NULL,
            fingerprint TEXT NOT NULL,
            jobs TEXT NOT NULL,
            created REAL NOT NULL,
            PRIMARY KEY (user, key)
        )""",
        # A deleted voice stays while an unfinished job needs it.
        """CREATE TABLE voices (
            id TEXT PRIMARY KEY,
            name TEXT NOT NULL,
            user TEXT NOT NULL,
            shared INTEGER NOT NULL,
            sha256 TEXT NOT NULL,
            seconds REAL NOT NULL,
            consent TEXT NOT NULL,
            created REAL NOT NULL,
            deleted REAL
        )""",
        "CREATE UNIQUE INDEX voices_by_name ON voices (user, name) WHERE deleted IS NULL",
    ),
)

# In a file of its own, whose writes wait for no disk: a beat each second, and worth nothing after a crash.
RUNNERS = (
    (
        """CREATE TABLE runners (
            id TEXT PRIMARY KEY,
            slot INTEGER NOT NULL,
            engine TEXT NOT NULL,
            streams INTEGER NOT NULL,
            running INTEGER NOT NULL,
            pace REAL NOT NULL,
            beat REAL NOT NULL
        )""",
    ),
)

"""A host's backups with restic and SQLite themselves, everything below a folder of the test's."""

from __future__ import annotations

import sqlite3
import subprocess
from dataclasses import dataclass
from pathlib import Path

from examples import example_site

from fleet import Site
from roles.backup import config
from roles.backup.restore import gateway_script, jobs_script
from roles.backup.snapshots import Snapshot, read

PASSWORD = "of-the-backups"


@dataclass(frozen=True)
class BackupHost:
    """A host: its folders, its backup program, and the repository, which lies on another disk."""

    site: Site
    srv: Path
    program: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The backup program, as the timer and the operator run it."""
        return _run(str(self.program), *arguments)

    def well(self, *arguments: str) -> str:
        """What it prints; it ends well."""
        done = self.run(*arguments)
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
        return done.stdout

    def refused(self, *arguments: str) -> str:
        """What it says when it refuses."""
        done = self.run(*arguments)
        assert done.returncode == 1, f"{arguments}: {done.returncode} {done.stdout}"
        return done.stderr.strip()

    def snapshots(self, kind: str) -> list[Snapshot]:
        return read(self.well("list", kind))

    def restore_gateway(self, snapshot: str, overwrite: bool = False) -> subprocess.CompletedProcess[str]:
        script = gateway_script(self.site, snapshot, overwrite, backup=str(self.program), srv=str(self.srv))
        return _run("sh", "-c", script)

    def restore_jobs(
        self, project: str, snapshot: str, overwrite: bool = False
    ) -> subprocess.CompletedProcess[str]:
        script = jobs_script(
            self.site, project, snapshot, overwrite, backup=str(self.program), srv=str(self.srv), user="0:0"
        )
        return _run("sh", "-c", script)


def host(folder: Path, repository: str, password: str = PASSWORD, **knobs: object) -> BackupHost:
    """A host of that name's folder with everything its backups need."""
    etc, srv, run = folder / "etc", folder / "srv", folder / "run"
    for each in (etc, srv, run):
        each.mkdir(parents=True, exist_ok=True)
    secrets = {"users": {"ana": "the password of ana"}, "backup": {"password": password}}
    site = example_site(backup={"repository": repository, **knobs}, secrets=secrets)
    for kind in ("gateway", "p1", "p2"):
        environment = config.environment(site, kind).replace("/var/cache/restic", str(folder / "cache"))
        (etc / f"{kind}.env").write_text(environment)
    program = folder / "backup"
    program.write_text(config.script(site, folder.name, etc=str(etc), srv=str(srv), run=str(run)))
    program.chmod(0o755)
    return BackupHost(site, srv, program)


def database(path: Path, script: str) -> sqlite3.Connection:
    """A database that somebody holds open and writes to, its last commits in its log alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA wal_autocheckpoint = 0")
    db.executescript(script)
    return db


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    db = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    try:
        return db.execute(query).fetchall()
    finally:
        db.close()


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

"""Backups and restores, by restic and SQLite themselves; without Docker, as on a host that has none yet."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from backup_host import BackupHost, database, host, rows
from examples import example_site
from real_programs import complaints

from fleet.models import REPO
from roles.backup import config
from roles.backup.snapshots import NotFound, Snapshot, choose, read, summary
from steps.options import Mistake

sys.path.insert(0, str(REPO / "app" / "vibevoice" / "jobs"))
from schema import JOBS  # pyright: ignore[reportMissingImports]

# The store's own.
TABLES = "; ".join(statement for step in JOBS for statement in step)
REGISTRY = "registry/docker/registry/v2"
DOOR = "CREATE TABLE keys (id TEXT PRIMARY KEY); INSERT INTO keys VALUES ('first'), ('second')"


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A folder on another disk than the tests' own: what is on a host's own is refused."""
    folder = Path(tempfile.mkdtemp(prefix="vv-repository-", dir="/dev/shm"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def gateway(tmp_path: Path, elsewhere: Path) -> Iterator[BackupHost]:
    """A gateway with a certificate, a door that writes, and an image whose layers it has."""
    made = host(tmp_path / "gateway", str(elsewhere))
    srv = made.srv
    for path, text in {
        "certs/acme.json": '{"letsencrypt": {"Certificates": ["one"]}}',
        "door/secret": "s" * 32,
        "door/audit/2026-11-28.jsonl": "{}\n",
        "versions.jsonl": '{"n": 7}\n',
        f"{REGISTRY}/repositories/vibevoice/_manifests/revisions/sha256/abcd/link": "sha256:abcd",
        f"{REGISTRY}/repositories/vibevoice/_manifests/tags/t/current/link": "sha256:abcd",
        f"{REGISTRY}/repositories/door/_manifests/tags/t/current/link": "sha256:ef01",
        f"{REGISTRY}/blobs/sha256/ab/abcd/data": '{"layers": ["1234"]}',
        f"{REGISTRY}/blobs/sha256/12/1234/data": "a layer of gigabytes",
    }.items():
        (srv / path).parent.mkdir(parents=True, exist_ok=True)
        (srv / path).write_text(text)
    (srv / "certs/acme.json").chmod(0o600)
    door = database(srv / "door/door.db", DOOR)
    yield made
    door.close()


@pytest.fixture
def node(tmp_path: Path, elsewhere: Path) -> Iterator[tuple[BackupHost, sqlite3.Connection]]:
    """A node whose project p1 speaks: one job is done, one runs, one is being cancelled."""
    made = host(tmp_path / "node", str(elsewhere))
    project = made.srv / "projects" / "p1"
    db = database(project / "jobs.db", TABLES)
    for number, (id, state, cancelling) in enumerate(
        [("job_done", "done", 0), ("job_runs", "running", 0), ("job_goes", "running", 1)], 1
    ):
        db.execute(
            "INSERT INTO jobs (number, id, user, kind, state, title, speakers, voices, seed, one_take, "
            "format, created, turn, runner, epoch, lease_from, lease_until, cancelling) VALUES (?, ?, 'ana', "
            "'job', ?, '', '', '', 1, 0, 'wav', 0, ?, 'somebody', 3, 5, 9e12, ?)",
            (number, id, state, number, cancelling),
        )
        db.execute(
            "INSERT INTO takes (job, n, number, seed, state) VALUES (?, 0, 0, 1, 'running')", (number,)
        )
        db.execute("INSERT INTO pieces VALUES (?, 0, 0, 3, 4, 1)", (number,))
        db.execute("INSERT INTO events (job, kind, data) VALUES (?, 'progress', '{}')", (number,))
        folder = project / "jobs" / id
        folder.mkdir(parents=True)
        (folder / "0-0-3.pcm").write_bytes(b"12345678")
        (folder / "0-0-3.state").write_bytes(b"1234")
        (folder / "whole.mp3").write_bytes(b"made again when it is asked for")
    (project / "voices").mkdir()
    (project / "voices" / "v.wav").write_bytes(b"RIFF")
    yield made, db
    db.close()


def _latest(made: BackupHost, kind: str) -> str:
    return made.snapshots(kind)[-1].id


def test_a_gateway_comes_back_on_an_empty_host(gateway: BackupHost, tmp_path: Path, elsewhere: Path) -> None:
    said = summary("gateway", "gateway", gateway.well("save", "gateway"))
    empty = host(tmp_path / "another", str(elsewhere))
    shutil.rmtree(empty.srv)
    assert _latest(empty, "gateway") == said.snapshot
    done = empty.restore_gateway(said.snapshot)
    assert (done.returncode, done.stderr) == (0, "")
    for path in ("certs/acme.json", "door/secret", "door/audit/2026-11-28.jsonl", "versions.jsonl"):
        assert (empty.srv / path).read_bytes() == (gateway.srv / path).read_bytes(), path
    assert (empty.srv / "certs/acme.json").stat().st_mode & 0o777 == 0o600
    # What was committed into the log alone is there, and the running door's own files are not.
    assert rows(empty.srv / "door/door.db", "SELECT id FROM keys") == [("first",), ("second",)]
    assert not (empty.srv / "door/door.db-wal").exists()
    assert sorted(path.name for path in empty.srv.iterdir()) == [
        "certs",
        "door",
        "registry",
        "versions.jsonl",
    ]


def test_a_backup_knows_the_studios_image_by_name_and_has_no_layer(
    gateway: BackupHost, tmp_path: Path, elsewhere: Path
) -> None:
    gateway.well("save", "gateway")
    empty = host(tmp_path / "another", str(elsewhere))
    assert empty.restore_gateway(_latest(empty, "gateway")).returncode == 0
    registry = empty.srv / REGISTRY
    found = {str(path.relative_to(registry)) for path in registry.rglob("*") if path.is_file()}
    manifests = "repositories/vibevoice/_manifests"
    assert found == {
        f"{manifests}/revisions/sha256/abcd/link",
        f"{manifests}/tags/t/current/link",
        "blobs/sha256/ab/abcd/data",
    }


def test_a_gateway_that_has_logins_keeps_them_unless_told(gateway: BackupHost) -> None:
    gateway.well("save", "gateway")
    (gateway.srv / "door/secret").write_text("n" * 32)
    snapshot = _latest(gateway, "gateway")
    done = gateway.restore_gateway(snapshot)
    assert done.returncode == 1
    assert "--data overwrite=1; nothing was changed." in done.stderr
    assert (gateway.srv / "door/secret").read_text() == "n" * 32

    done = gateway.restore_gateway(snapshot, overwrite=True)
    assert done.returncode == 0, done.stderr
    assert (gateway.srv / "door/secret").read_text() == "s" * 32
    assert (gateway.srv / ".before-restore/door/secret").read_text() == "n" * 32
    assert "What was here before lies in" in done.stderr


def test_jobs_come_back_and_those_that_ran_wait_for_a_runner(
    node: tuple[BackupHost, sqlite3.Connection],
) -> None:
    made, _ = node
    made.well("save", "p1")
    project = made.srv / "projects/p1"
    shutil.rmtree(project)
    done = made.restore_jobs("p1", _latest(made, "p1"))
    assert done.returncode == 0, done.stderr
    told = {"jobs": 3, "voices": 0, "unfinished": 2, "studios": ""}
    assert json.loads(done.stdout.splitlines()[-1]) == told
    assert rows(project / "jobs.db", "SELECT id, state, runner, epoch, lease_until FROM jobs") == [
        ("job_done", "done", "somebody", 3, 0.0),
        ("job_runs", "queued", None, 3, 0.0),
        # Whoever claims it ends it.
        ("job_goes", "running", "somebody", 3, 0.0),
    ]
    assert {state for (state,) in rows(project / "jobs.db", "SELECT state FROM takes")} == {"waiting"}
    (number,) = rows(project / "jobs.db", "SELECT seq FROM sqlite_sequence WHERE name = 'events'")
    assert number == (1_000_003,)
    assert (project / "jobs/job_runs/0-0-3.pcm").read_bytes() == b"12345678"
    assert (project / "voices/v.wav").read_bytes() == b"RIFF"
    assert not list(project.rglob("*.mp3"))
    assert not list((made.srv / "projects/.backup").iterdir())


def test_jobs_that_are_there_stay_unless_told(node: tuple[BackupHost, sqlite3.Connection]) -> None:
    made, db = node
    made.well("save", "p1")
    db.execute("UPDATE jobs SET title = 'written since'")
    snapshot = _latest(made, "p1")
    done = made.restore_jobs("p1", snapshot)
    assert done.returncode == 1
    assert "p1 has 3 jobs and 0 voices here." in done.stderr
    assert rows(made.srv / "projects/p1/jobs.db", "SELECT DISTINCT title FROM jobs") == [("written since",)]

    done = made.restore_jobs("p1", snapshot, overwrite=True)
    assert done.returncode == 0, done.stderr
    assert rows(made.srv / "projects/p1/jobs.db", "SELECT DISTINCT title FROM jobs") == [("",)]
    before = made.srv / "projects/.before-restore/p1"
    assert rows(before / "jobs.db", "SELECT DISTINCT title FROM jobs") == [("written since",)]


DOCKER = """#!/bin/sh
# Two studios. What they are told is written down, and whose jobs lie there at that moment.
title=$(sqlite3 -readonly {jobs} "SELECT DISTINCT title FROM jobs")
case "$1" in
ps) [ -e {folder}/stopped ] || printf 'vv-p1-0-aa\\nvv-p1-1-bb\\n' ;;
stop) echo "$* at ${{title:-backup}}" >> {folder}/told; touch {folder}/stopped; {then} ;;
start) echo "$* at ${{title:-backup}}" >> {folder}/told; rm -f {folder}/stopped ;;
*) echo "docker $* was not expected" >&2; exit 1 ;;
esac
"""


def _docker(folder: Path, jobs: Path, then: str) -> str:
    """A PATH with a docker of two studios. then: what happens once they are stopped."""
    folder.mkdir()
    (folder / "docker").write_text(DOCKER.format(folder=folder, jobs=jobs, then=then))
    (folder / "docker").chmod(0o755)
    return f"{folder}:/usr/bin:/bin"


def test_studios_are_stopped_before_their_jobs_are_replaced_and_started_after(
    node: tuple[BackupHost, sqlite3.Connection], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made, db = node
    made.well("save", "p1")
    db.execute("UPDATE jobs SET title = 'living'")
    snapshot = _latest(made, "p1")
    folder = tmp_path / "bin"
    monkeypatch.setenv("PATH", _docker(folder, made.srv / "projects/p1/jobs.db", ":"))
    done = made.restore_jobs("p1", snapshot, overwrite=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["studios"] == "vv-p1-0-aa vv-p1-1-bb"
    assert (folder / "told").read_text().splitlines() == [
        "stop vv-p1-0-aa vv-p1-1-bb at living",
        "start vv-p1-0-aa vv-p1-1-bb at backup",
    ]


def test_jobs_are_not_replaced_below_a_studio_that_somebody_starts_again(
    node: tuple[BackupHost, sqlite3.Connection], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made, db = node
    made.well("save", "p1")
    db.execute("UPDATE jobs SET title = 'living'")
    snapshot = _latest(made, "p1")
    folder = tmp_path / "bin"
    somebody = f"rm {folder}/stopped"
    monkeypatch.setenv("PATH", _docker(folder, made.srv / "projects/p1/jobs.db", somebody))
    done = made.restore_jobs("p1", snapshot, overwrite=True)
    assert done.returncode == 1
    assert "Somebody started vv-p1-0-aa vv-p1-1-bb again, so nothing was changed." in done.stderr
    assert (folder / "told").read_text().splitlines()[-1] == "start vv-p1-0-aa vv-p1-1-bb at living"


def test_a_backup_has_no_job_whose_sound_was_deleted_meanwhile(
    node: tuple[BackupHost, sqlite3.Connection], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made, _ = node
    # What `cp` finds, once the database has been copied: somebody has deleted the job.
    fast = tmp_path / "bin"
    fast.mkdir()
    project = made.srv / "projects/p1"
    (fast / "cp").write_text(
        f"#!/bin/sh\nsqlite3 {project}/jobs.db \"DELETE FROM jobs WHERE id = 'job_done'\"\n"
        f'rm -rf {project}/jobs/job_done\nexec /bin/cp "$@"\n'
    )
    (fast / "cp").chmod(0o755)
    with monkeypatch.context() as patch:
        patch.setenv("PATH", f"{fast}:/usr/bin:/bin")
        made.well("save", "p1")
    assert made.restore_jobs("p1", _latest(made, "p1"), overwrite=True).returncode == 0
    assert rows(project / "jobs.db", "SELECT id FROM jobs ORDER BY number") == [
        ("job_runs",),
        ("job_goes",),
    ]


def test_the_living_store_is_not_written_to(node: tuple[BackupHost, sqlite3.Connection]) -> None:
    made, _ = node
    files = [made.srv / "projects/p1" / name for name in ("jobs.db", "jobs.db-wal")]
    before = [file.read_bytes() for file in files]
    made.well("save", "p1")
    assert [file.read_bytes() for file in files] == before


Refusal = Callable[[BackupHost, Path, Path], str]


def _another_password(gateway: BackupHost, folder: Path, elsewhere: Path) -> str:
    return host(folder / "stranger", str(elsewhere), password="another").refused("list", "gateway")


def _no_repository(gateway: BackupHost, folder: Path, elsewhere: Path) -> str:
    return host(folder / "early", f"{elsewhere}/of-nobody").refused("list", "gateway")


def _nobody_there(gateway: BackupHost, folder: Path, elsewhere: Path) -> str:
    return host(folder / "cut-off", "rest:http://127.0.0.1:9/vv/").refused("save", "gateway")


def _own_disk(gateway: BackupHost, folder: Path, elsewhere: Path) -> str:
    return host(folder / "careless", str(folder / "careless" / "repository")).refused("save", "gateway")


def _no_room(gateway: BackupHost, folder: Path, elsewhere: Path) -> str:
    program = gateway.program.read_text()
    gateway.program.write_text(program.replace(str(config.SPARE_BYTES), str(2**60)))
    return gateway.refused("fetch", "gateway", _latest(gateway, "gateway"), str(gateway.srv / ".restore"))


def _of_another_kind(gateway: BackupHost, folder: Path, elsewhere: Path) -> str:
    return gateway.refused("list", "p10")


@pytest.mark.parametrize(
    ("provoke", "said"),
    [
        (_another_password, "is encrypted with another password. Correct password below [backup]"),
        (_no_repository, "there is no backup at"),
        (_nobody_there, "rest:http://127.0.0.1:9/vv/gateway cannot be reached or used"),
        (_own_disk, "is on this host's own disk, and would be lost with it."),
        (_no_room, "MiB free, too little. Make room"),
        (_of_another_kind, "This host makes no backups of p10"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_changed(
    gateway: BackupHost, tmp_path: Path, elsewhere: Path, provoke: Refusal, said: str
) -> None:
    gateway.well("save", "gateway")
    before = {path: path.read_bytes() for path in gateway.srv.rglob("*") if path.is_file()}
    words = provoke(gateway, tmp_path, elsewhere)
    assert said in words
    assert before == {path: path.read_bytes() for path in gateway.srv.rglob("*") if path.is_file()}


def test_backups_that_are_too_old_are_forgotten(gateway: BackupHost) -> None:
    gateway.well("save", "gateway")
    gateway.well("save", "gateway")
    assert len(gateway.snapshots("gateway")) == 2, "those of the last two days stay, however many"
    # As if two days were nothing.
    program = gateway.program.read_text()
    gateway.program.write_text(program.replace("--keep-within 2d", ""))
    gateway.well("save", "gateway")
    assert len(gateway.snapshots("gateway")) == 1


def test_a_night_goes_on_after_a_project_that_could_not_be_saved(
    node: tuple[BackupHost, sqlite3.Connection],
) -> None:
    made, _ = node
    said = made.refused("night", "p2", "p1")
    assert "p2 has no jobs on this host." in said
    assert said.endswith("Not backed up: p2.")
    assert "Backed up p1: snapshot" in said


# --- pure ---------------------------------------------------------------------------------------------------

MADE = [Snapshot(id, datetime(2026, 11, day, tzinfo=UTC), "gw") for id, day in {"aa11": 1, "ab22": 2}.items()]


def test_the_latest_snapshot_is_taken_where_none_is_named() -> None:
    assert choose(MADE, "", "gateway").id == "ab22"
    assert choose(MADE, "aa", "gateway").id == "aa11"
    assert choose(MADE, "ab22cdef", "gateway").id == "ab22"


@pytest.mark.parametrize(
    ("there", "wanted", "said"),
    [
        ([], "", "The repository has no backup of gateway. Is this the right repository?"),
        (
            MADE,
            "ff",
            "snapshot=ff is no backup of gateway. The latest are aa11 (2026-11-01 00:00), "
            "ab22 (2026-11-02 00:00).",
        ),
        (
            MADE,
            "a",
            "snapshot=a could be several backups of gateway. The latest are aa11 (2026-11-01 00:00), "
            "ab22 (2026-11-02 00:00).",
        ),
    ],
)
def test_a_snapshot_that_cannot_be_meant_is_refused(there: list[Snapshot], wanted: str, said: str) -> None:
    with pytest.raises(NotFound) as refusal:
        choose(there, wanted, "gateway")
    assert str(refusal.value) == said


@pytest.mark.parametrize(
    ("time", "when"),
    [
        ("2026-11-28T15:14:03.879334115Z", "2026-11-28 15:14"),
        ("2026-11-28T15:14:03.879334115+02:00", "2026-11-28 13:14"),
        ("2026-11-28T15:14:03-01:30", "2026-11-28 16:44"),
        ("2026-11-28T15:14:03Z", "2026-11-28 15:14"),
    ],
)
def test_snapshots_are_dated_in_utc_whatever_their_hosts_clock_says(time: str, when: str) -> None:
    (one,) = read(json.dumps([{"short_id": "aa11", "time": time, "hostname": "gw"}]))
    assert one.when == when


@pytest.mark.parametrize(
    ("repository", "end"),
    [
        ("sftp:vv@nas.example.com:/backups", ["vv@nas.example.com", "-s", "sftp"]),
        ("sftp://vv@nas.example.com:2222//backups", ["-p", "2222", "vv@nas.example.com", "-s", "sftp"]),
    ],
)
def test_sftp_asks_nobody_and_trusts_the_named_host_alone(repository: str, end: list[str]) -> None:
    words = config.ssh(repository)
    assert words[-len(end) :] == end
    assert {"BatchMode=yes", "StrictHostKeyChecking=yes"} <= set(words)


def test_secrets_are_in_the_secret_file_alone() -> None:
    secrets = {"backup": {"password": "the-pass word", "REST": "the-storage's"}}
    knobs = {"repository": "rest:https://vv:${REST}@nas.example.com/vv/", "env": ["REST"]}
    site = example_site(backup=knobs, secrets=secrets)
    files = config.files(site, site.gateway)
    holding = [file for file in files if b"the-pass word" in file.data or b"the-storage" in file.data]
    assert [(file.dest, file.secret) for file in holding] == [("/etc/vibevoice/backup/gateway.env", True)]
    assert b"the-pass word" not in holding[0].data, "what it was made of is on no host"


def test_a_host_can_read_the_backups_of_its_own_kinds_alone() -> None:
    secrets = {"backup": {"password": "the-pass word"}}
    site = example_site(backup={"repository": "s3:https://s3.example.com/vv/"}, secrets=secrets)
    found = {
        member.host: b"".join(file.data for file in config.files(site, member)) for member in site.members
    }
    for member in site.members:
        for other in site.members:
            for kind in config.kinds(site, other):
                assert (config.password(site, kind).encode() in found[member.host]) == (member is other)
    assert config.repository(site, "gateway") == "s3:https://s3.example.com/vv/gateway"
    # By hand: printf %s gateway | openssl dgst -sha256 -hmac 'the-pass word'
    assert (
        config.password(site, "gateway") == "1ca3e829d938dd3baedb363bc2682ea0c246a4f881e69ff8aaa72501d0292bee"
    )


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    secrets = {"backup": {"password": "the-pass word"}}
    site = example_site(backup={"repository": "s3:https://s3.example.com/vv"}, secrets=secrets)
    for file in config.files(site, site.gateway):
        if file.dest.startswith(config.UNITS):
            # The program is on the hosts alone.
            text = file.data.decode().replace(config.SCRIPT, "/bin/true")
            (tmp_path / Path(file.dest).name).write_text(text)
    verify = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no"]
    assert complaints([*verify, tmp_path / config.SERVICE, tmp_path / config.TIMER]) == ""
    timer = (tmp_path / config.TIMER).read_text()
    assert "OnCalendar=*-*-* 03:30\n" in timer


def test_what_is_backed_up_elsewhere_now_is_no_secret_of_this_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "DIRECTORY", str(tmp_path))
    for name in ("p1.env", "p10.env", "p10.env.vv-new", "ca.pem"):
        (tmp_path / name).touch()
    site = example_site()
    done = subprocess.run(
        ["sh", "-c", config.strangers(site, site.nodes[0])], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [f"{tmp_path}/p10.env"]


def test_a_node_backs_up_its_own_projects_and_the_gateway_itself() -> None:
    site = example_site()
    hosts = {member.host: config.kinds(site, member) for member in site.members}
    assert hosts == {
        "gw.example.com": ["gateway"],
        "gpu-1.example.com": ["p1"],
        "gpu-2.example.com": ["p10"],
    }
    assert config.wanted(["p1"], "all") == ["p1"]
    assert config.wanted(["gateway"], "all") == []
    assert config.wanted(["gateway"], "") == ["gateway"]
    assert config.wanted(["p1"], "") == []


def test_a_project_that_nobody_declared_cannot_be_meant(tmp_path: Path) -> None:
    site = host(tmp_path / "gateway", "s3:https://s3.example.com/vv").site
    assert [config.which(site, named) for named in ("", "p10", "all")] == ["", "p10", "all"]
    with pytest.raises(Mistake) as refusal:
        config.which(site, "all", one=True)
    assert str(refusal.value) == "project=all: inventory/example.py has no such project. There are: p1, p10."


def test_a_site_that_does_not_say_where_backups_go_is_told_how() -> None:
    with pytest.raises(Mistake) as refusal:
        config.which(example_site(), "")
    assert "Set backup.repository, and password below [backup] in the secrets" in str(refusal.value)

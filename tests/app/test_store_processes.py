"""Several containers, old and new, share one store, and any of their processes may die at any moment."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from running import APP, wait_for
from storing import Clock, Speaker, claim, done, heard, new_job, submit
from vibevoice.jobs import schema
from vibevoice.jobs.database import LOG_BYTES, Database
from vibevoice.jobs.sound import whole
from vibevoice.jobs.store import LeaseLost, Store, StoreError
from vibevoice.lock_file import open_lock, try_lock

HERE = Path(__file__).parent

# Claims whatever there is and speaks it, with short leases; argument: folder, name.
RUNNER = """
import sys
from pathlib import Path
from storing import Speaker
from vibevoice.jobs.store import LeaseLost, Store

store, name = Store(Path(sys.argv[1])), sys.argv[2]
print("ready", flush=True)
while True:
    for job in store.claim(name, 0.3, 1):
        speaker = Speaker(store, job)
        try:
            for segment in job.segments:
                if segment.coming:
                    left = 6 - speaker.begin(segment.n).frames
                    for _ in range(left):
                        speaker.speak(1)
                        if store.renew(name, {job.id: job.epoch}, 0.3) != {job.id: "ok"}:
                            raise LeaseLost
                    speaker.end()
            store.finish(speaker.job, "done")
        except (LeaseLost, FileNotFoundError):
            continue
"""

# Submits one job after the other and says so once it is accepted; arguments: folder, user, how many.
SUBMITTER = """
import sys
from pathlib import Path
from storing import new_job
from vibevoice.jobs.store import Store

store = Store(Path(sys.argv[1]))
print("ready", flush=True)
for number in range(int(sys.argv[3])):
    (job,) = store.submit([new_job(2, title=str(number))], sys.argv[2])
    print(job.id, flush=True)
"""


class Other:
    """Another container's process."""

    def __init__(self, program: str, *arguments: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, *map(str, arguments)],
            env={"PYTHONPATH": f"{APP}:{HERE}"},
            stdout=subprocess.PIPE,
            text=True,
        )

    def hear(self) -> str:
        """Its next line; empty at its end."""
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def stop(self, folder: Path) -> None:
        """Freeze it while it does not hold the store's lock, with which nobody else could write."""
        lock = open_lock(folder / "jobs.lock")
        try:
            while True:
                self.process.send_signal(signal.SIGSTOP)
                if try_lock(lock):
                    return
                self.process.send_signal(signal.SIGCONT)
                time.sleep(0.001)
        finally:
            os.close(lock)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def other() -> Iterator[Callable[..., Other]]:
    """Start another process; whatever is left of it ends with the test."""
    with ExitStack() as stack:

        def start(program: str, *arguments: object) -> Other:
            started = Other(program, *arguments)
            stack.enter_context(started.process)
            stack.callback(started.process.kill)
            return started

        yield start


def intact(folder: Path) -> bool:
    db = sqlite3.connect(folder / "jobs.db")
    try:
        return (
            db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            and not db.execute("PRAGMA foreign_key_check").fetchall()
        )
    finally:
        db.close()


def test_containers_that_start_together_make_one_store(other: Callable[..., Other], tmp_path: Path) -> None:
    for process in [other(SUBMITTER, tmp_path, "ana", 5) for _ in range(4)]:
        assert process.hear() == "ready"
        process.process.wait()
        assert process.process.returncode == 0
    assert len(Store(tmp_path).list("ana")) == 20


def test_runners_killed_at_any_moment_leave_every_job_whole(
    other: Callable[..., Other], tmp_path: Path
) -> None:
    """Three runners with leases of 0.3 s, one of which is killed or stopped every now and then."""
    store = Store(tmp_path)
    jobs = store.submit([new_job(3) for _ in range(12)], "ana")
    chance = random.Random(5)
    runners = {name: other(RUNNER, tmp_path, name) for name in "abc"}
    for runner in runners.values():
        assert runner.hear() == "ready"
    end = time.monotonic() + 60
    count = 0
    while store.waiting() + store.running():
        assert time.monotonic() < end
        time.sleep(chance.uniform(0.01, 0.25))
        name = chance.choice("abc")
        if count < 8:
            count += 1
            if chance.random() < 0.5:
                runners[name].kill()
                runners[name] = other(RUNNER, tmp_path, name)
            else:
                runners[name].process.send_signal(signal.SIGSTOP)
                time.sleep(0.4)
                runners[name].process.send_signal(signal.SIGCONT)
    for job in jobs:
        job = store.get(job.id)
        assert job.state == "done"
        assert heard(b"".join(whole(store, job))) == [(n, 0, k) for n in range(3) for k in range(6)]
    assert intact(tmp_path)


def test_what_was_accepted_is_there_after_a_kill(other: Callable[..., Other], tmp_path: Path) -> None:
    store = Store(tmp_path)
    accepted: list[str] = []
    for seed in range(4):
        process = other(SUBMITTER, tmp_path, "ana", 10_000)
        assert process.hear() == "ready"
        end = time.monotonic() + random.Random(seed).uniform(0.05, 0.3)
        while time.monotonic() < end:
            accepted.append(process.hear())
        process.kill()
        # What it had said when it died counts, too.
        while line := process.hear():
            accepted.append(line)
    there = [job.id for job in store.list(limit=10**6, text=False)]
    accepted = [id for id in accepted if len(id) == 28]
    assert len(accepted) > 20 and set(accepted) <= set(there)
    # At most the one that each was about to tell of.
    assert len(there) <= len(accepted) + 4 and intact(tmp_path)


def test_a_request_that_is_repeated_at_once_everywhere_is_one_job(tmp_path: Path) -> None:
    stores = [Store(tmp_path) for _ in range(4)]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda n: stores[n % 4].submit([new_job()], "ana", key="k"), range(16)))
    assert len({job.id for (job,) in answers}) == 1 == len(stores[0].list())


def test_a_stopped_runner_that_wakes_changes_nothing(other: Callable[..., Other], tmp_path: Path) -> None:
    store = Store(tmp_path)
    job = submit(store, segments=400)
    runner = other(RUNNER, tmp_path, "stopped")
    wait_for(lambda: store.get(job.id).samples > 0)
    runner.stop(tmp_path)
    wait_for(lambda: bool(store.claim("new", 60, 1)))
    speaker = Speaker(store, store.get(job.id))
    runner.process.send_signal(signal.SIGCONT)
    # It learns that its lease is gone, and looks for others.
    time.sleep(0.3)
    runner.kill()
    after = store.get(job.id)
    assert after == speaker.job
    for segment in after.segments[:3]:
        if segment.coming:
            speaker.begin(segment.n)
            speaker.speak(1)
            speaker.end()
    sound = [frame for n in range(3) for frame in heard(b"".join(whole(store, speaker.job, n)))]
    assert len(sound) == len(set(sound)) and sound == sorted(sound)


def test_threads_and_processes_at_once_lose_nothing(other: Callable[..., Other], tmp_path: Path) -> None:
    store = Store(tmp_path)
    processes = [other(SUBMITTER, tmp_path, f"user{n}", 40) for n in range(2)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: submit(store, f"user{n % 2}"), range(80)))
    for process in processes:
        assert process.process.wait(60) == 0
    assert Counter(job.user for job in store.list(limit=1000)) == {"user0": 80, "user1": 80}


def test_threads_that_come_and_go_open_no_more_files(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.list()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        thread = threading.Thread(target=store.list)
        thread.start()
        thread.join()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_the_log_stays_short_however_much_is_written_and_read(tmp_path: Path) -> None:
    store = Store(tmp_path)
    longest, over = 0, threading.Event()

    def read() -> None:
        while not over.is_set():
            store.list()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for _ in range(60):
            submit(store, script="x" * 300_000)
            longest = max(longest, (tmp_path / "jobs.db-wal").stat().st_size)
            store.delete(store.list(text=False, limit=1)[0].id)
    finally:
        over.set()
        reader.join()
    assert LOG_BYTES < longest < 3 * LOG_BYTES
    assert (tmp_path / "jobs.db").stat().st_size < 4 * LOG_BYTES


# --- versions ----------------------------------------------------------------------------------------------


def test_an_older_store_gets_what_is_new_and_keeps_what_it_has(tmp_path: Path) -> None:
    old = Store(tmp_path)
    job = done(old)
    steps = (*schema.JOBS, ("ALTER TABLE jobs ADD COLUMN mood TEXT NOT NULL DEFAULT 'calm'",))
    newer = Database(tmp_path / "jobs.db", steps, "FULL")
    with newer.reading() as db:
        assert [tuple(row) for row in db.execute("SELECT id, mood FROM jobs")] == [(job.id, "calm")]
        assert db.execute("PRAGMA user_version").fetchone()[0] == len(steps)
    # Two versions at once: one that was there before, and one of the old that starts now.
    for store in (old, Store(tmp_path)):
        assert store.get(job.id) == job
        assert done(store).state == "done"


def test_a_step_that_fails_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    job = done(Store(tmp_path))
    steps = (*schema.JOBS, ("ALTER TABLE jobs ADD COLUMN mood TEXT", "CREATE TABLE jobs (x)"))
    with pytest.raises(StoreError, match="already exists"):
        Database(tmp_path / "jobs.db", steps, "FULL")
    assert Store(tmp_path).get(job.id) == job
    with Database(tmp_path / "jobs.db", schema.JOBS, "FULL").reading() as db:
        assert "mood" not in [row["name"] for row in db.execute("PRAGMA table_info(jobs)")]


def test_no_step_changes_what_an_older_version_knows() -> None:
    """The first version's store, and only what may be done to it since."""
    later: list[tuple[str, ...]] = [*schema.JOBS[1:], *schema.RUNNERS[1:]]
    for step in later:
        for statement in step:
            words = " ".join(statement.upper().split())
            assert words.startswith(("CREATE TABLE", "CREATE INDEX")) or " ADD COLUMN " in words


def test_a_runner_of_another_version_is_fenced_like_any_other(tmp_path: Path) -> None:
    clock = Clock()
    store = Store(tmp_path, clock)
    submit(store)
    job = claim(store)
    clock.now += 16
    Database(tmp_path / "jobs.db", (*schema.JOBS, ("ALTER TABLE jobs ADD COLUMN mood TEXT",)), "FULL")
    claim(Store(tmp_path, clock), "newer")
    with pytest.raises(LeaseLost):
        store.begin(job, 0)

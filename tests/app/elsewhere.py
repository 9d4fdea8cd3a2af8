"""A studio behind the door that speaks nothing itself: another process has its GPU.

What is handed in is spoken by the test, as another studio of the project would do it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import httpx
import pytest
from door_keeper import Clock, DoorKeeper
from running import Running
from storing import LEASE_S, Speaker
from vibevoice.jobs.model import Job
from vibevoice.lock_file import open_lock, try_lock
from vibevoice.settings import Settings

KEEPER = DoorKeeper(Clock())
JOBS = "/v1/jobs"
LONG = "\n".join(f"{who}: {'We talk on and on about it. ' * 30}" for _ in range(2) for who in ("Ana", "Li"))
"""Two segments."""


class User(httpx.Client):
    """Somebody at a studio's door."""

    def __init__(self, studio: Running, name: str, **limits: object) -> None:
        pass_ = KEEPER.headers(user=name, upload_bytes=10**9, **limits)
        super().__init__(base_url=studio.url, headers=pass_, timeout=60)

    def hands_in(self, script: str = LONG, **fields: Any) -> dict[str, Any]:
        """The job."""
        answer = self.post(JOBS, json={"input": script, **fields})
        assert answer.status_code == 201, answer.text
        return answer.json()

    def job(self, id: str) -> dict[str, Any]:
        answer = self.get(f"{JOBS}/{id}")
        assert answer.status_code == 200, answer.text
        return answer.json()


class Elsewhere:
    """The studio, its users, and who speaks."""

    def __init__(self, running: Running) -> None:
        self.running, self.store = running, running.studio.store
        self.ana, self.li = User(running, "ana"), User(running, "li")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for user in (self.ana, self.li):
            user.close()

    def claim(self, id: str) -> Speaker:
        """Begin with a job, which must be the only one that waits."""
        (job,) = self.store.claim("elsewhere", LEASE_S, 1)
        assert job.id == id
        return Speaker(self.store, job)

    def speak(self, id: str, frames: int = 3000) -> Job:
        """All of a job, which must be the only one that waits; a frame has four samples."""
        return self.claim(id).all(frames)

    def spoken(self, **fields: Any) -> dict[str, Any]:
        """A finished job of Ana's."""
        id = self.ana.hands_in(**fields)["id"]
        self.speak(id)
        return self.ana.job(id)

    def clear(self) -> None:
        """Nothing is left that waits or is spoken."""
        for state in ("queued", "running"):
            for job in self.store.list(states=(state,)):
                self.store.delete(job.id)


@contextmanager
def elsewhere(settings: Settings, folders: pytest.TempPathFactory, **changes: object) -> Iterator[Elsewhere]:
    """Such a studio, with folders of its own."""
    data, locks = folders.mktemp("data"), folders.mktemp("locks")
    lock = open_lock(locks / "slot-0.lock")
    assert try_lock(lock)
    own = {"door_key": KEEPER.public_key, "data_dir": data, "lock_dir": locks, "slot": 0, **changes}
    with Running(settings.model_copy(update=own), KEEPER.clock) as running, Elsewhere(running) as studio:
        yield studio

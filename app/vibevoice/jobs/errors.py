"""What the job store says no with."""

import math


class StoreError(Exception):
    """The database or the disk failed; nothing of what was asked has happened."""

    def __init__(self, message: str, *, full: bool = False) -> None:
        super().__init__(message)
        self.full = full
        """There is no space left."""


class Damaged(StoreError):
    """Files of a take are missing, or shorter than they were when they were saved."""


class NoSuchJob(LookupError):
    """No job has this id, or it is somebody else's."""


class NoSuchVoice(LookupError):
    """No voice of the library has this id or name, or it is somebody else's."""


class Conflict(Exception):
    """Not now: the job, or what is there already, does not allow it. The message says why."""


class KeyReused(Exception):
    """The idempotency key came with another request before."""


class LeaseLost(Exception):
    """The job is no longer this runner's: taken over, or deleted. What it has not saved is nobody's."""


class TooManyWaiting(Exception):
    """As many wait as may. The message is for people."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = max(1, math.ceil(retry_after_s))

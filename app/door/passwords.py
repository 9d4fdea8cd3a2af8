"""Passwords: hashed and verified by argon2id, in two threads, in turn for those who keep asking."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from .people import Slowed, WeakPassword

T = TypeVar("T")
# OWASP's least for argon2id: 20 MiB and some 25 ms of one core. The deploy hashes with the same, so that a
# name that nobody has takes as long as one that somebody has.
_hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
_NOBODY = _hasher.hash("nobody has this password")
SHORTEST, LONGEST = 12, 1000
THREADS = 2
# Verifications that may wait: of one address, and of all.
WAITING_EACH = 30
WAITING = 100
PATIENCE_S = 2.0


def check_new(name: str, password: str) -> None:
    """Raises WeakPassword for what nobody's password should be."""
    if len(password) < SHORTEST:
        raise WeakPassword("short", f"The password is shorter than {SHORTEST} characters.")
    if len(password) > LONGEST:
        raise WeakPassword("long", f"The password is longer than {LONGEST} characters.")
    if not password.isprintable() or len(set(password)) < 4:
        raise WeakPassword("text", "The password has invisible characters, or the same few all over.")
    if name.lower() in password.lower() and len(password) - len(name) < SHORTEST // 2:
        raise WeakPassword("name", "The password is hardly more than the name.")


def hashed(password: str) -> str:
    """argon2id in PHC form. Takes some 25 ms."""
    return _hasher.hash(password)


def verify(hash: str | None, password: str) -> bool:
    """Whether `password` is the one of `hash`; as slow if there is none."""
    try:
        right = _hasher.verify(hash or _NOBODY, password[: LONGEST + 1])
    except (VerificationError, InvalidHashError, UnicodeEncodeError):
        return False
    return right and hash is not None and len(password) <= LONGEST


class Turns:
    """Verifications in a pool of threads. One who asks often waits for themselves, not others for them."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, "argon2")
        self._turns: dict[str, _Turn] = {}
        self._waiting = 0

    async def take(self, who: str, trusted: bool, before: Callable[[], None], work: Callable[[], T]) -> T:
        """The result of `work`, run in a thread when it is `who`'s turn.

        Args:
            who: whose turn: one piece of work at a time for each.
            trusted: is heard even when too many others wait already.
            before: called in the event loop just before; may raise instead.

        Raises:
            Slowed: too many wait already.
        """
        turn = self._turns.get(who) or _Turn()
        if turn.waiting >= WAITING_EACH or (self._waiting >= WAITING and not trusted):
            raise Slowed(PATIENCE_S)
        self._turns[who] = turn
        turn.waiting += 1
        self._waiting += 1
        try:
            async with turn.lock:
                before()
                return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            turn.waiting -= 1
            self._waiting -= 1
            if not turn.waiting:
                self._turns.pop(who, None)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


class _Turn:
    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.waiting = 0

"""Whose turn it is, and how long it will take: the fair order of those that wait, and a plan from it."""

import heapq
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..voices import SAMPLE_RATE
from .model import Place, RunnerState

# Whatever the estimate says, what is not finished takes a while yet, in seconds of sound.
LEAST_S = 1.0


@dataclass(frozen=True)
class Unfinished:
    """A job that waits or is spoken."""

    number: int
    user: str
    kind: str
    running: bool
    turn: int
    reason: str
    left_s: float
    """Sound that is still to be spoken, in seconds."""


@dataclass(frozen=True)
class Plan:
    """What will happen if nobody comes or goes."""

    places: Mapping[int, Place]
    """By the jobs' numbers."""
    starts: Sequence[float]
    """Seconds until those that wait begin, in order; empty if nobody can say."""
    ends: Mapping[int, float]
    """Seconds until jobs will have ended; empty if nobody can say."""


def unfinished(db: sqlite3.Connection) -> list[Unfinished]:
    """All jobs that wait or are spoken."""
    rows = db.execute(
        """SELECT number, user, kind, state = 'running' AS running, turn, reason, (
            SELECT sum(max(?, estimate_s - (
                SELECT coalesce(sum(samples), 0) FROM pieces AS p
                WHERE p.job = s.job AND p.n = s.n AND p.take = s.coming
            ) * 1.0 / ?)) FROM segments AS s WHERE s.job = jobs.number AND coming IS NOT NULL
        ) AS left_s FROM jobs WHERE state IN ('queued', 'running')""",
        (LEAST_S, SAMPLE_RATE),
    )
    return [
        Unfinished(
            row["number"],
            row["user"],
            row["kind"],
            bool(row["running"]),
            row["turn"],
            row["reason"],
            row["left_s"] or LEAST_S,
        )
        for row in rows
    ]


def fair_order(jobs: Iterable[Unfinished]) -> list[Unfinished]:
    """Those that wait, the next one first.

    Users take turns: a user's k-th waiting job comes after every other's that has fewer before it, those that
    are being spoken counted in. Among a user's own, speech that a program waits for comes first; else the
    order is that of submission, except that who made room for others is behind them.
    """
    running = Counter(job.user for job in jobs if job.running)
    queues: defaultdict[str, list[Unfinished]] = defaultdict(list)
    for job in sorted(jobs, key=lambda job: (job.kind != "speech", job.turn)):
        if not job.running:
            queues[job.user].append(job)
    keyed = [
        ((running[user] + k, job.turn), job) for user, queue in queues.items() for k, job in enumerate(queue)
    ]
    return [job for _, job in sorted(keyed, key=lambda pair: pair[0])]


def plan(jobs: Sequence[Unfinished], runners: Iterable[RunnerState]) -> Plan:
    """Positions by the fair order; times by the runners' streams, each of which speaks job after job."""
    order = fair_order(jobs)
    positions = {job.number: position for position, job in enumerate(order, 1)}
    paces = [(runner.pace, max(runner.streams, 1)) for runner in runners if runner.pace > 0]
    if not paces:
        spoken = {job.number: Place(None, None) for job in jobs if job.running}
        return Plan({n: Place(p, None) for n, p in positions.items()} | spoken, [], {})
    streams = sum(streams for _, streams in paces)
    pace = sum(pace * streams for pace, streams in paces) / streams
    ends = {job.number: job.left_s / pace for job in jobs if job.running}
    # When each stream is free; more jobs than streams are spoken while one runner takes over from another.
    free = sorted(ends.values(), reverse=True)[:streams]
    free += [0.0] * (streams - len(free))
    heapq.heapify(free)
    starts: list[float] = []
    for job in order:
        starts.append(free[0])
        ends[job.number] = free[0] + job.left_s / pace
        heapq.heapreplace(free, ends[job.number])
    return Plan({n: Place(positions.get(n), end) for n, end in ends.items()}, starts, ends)

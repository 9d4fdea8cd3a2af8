"""What the door costs, beside no lock and Traefik's basicAuth: python -m bench.door (make bench-door).

Traefik and both doors share one core; the load and the studio behind them are on another.
"""

from __future__ import annotations

import base64
import json
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from bench.backend import backend
from bench.gateway import (
    BCRYPT_8,
    BCRYPT_10,
    DOOR,
    OPEN,
    PEOPLE,
    Gateway,
    cpu_s,
    gateway,
    go_first,
    goes_first,
    machine_s,
    on_core,
    versions,
)
from bench.load import Load
from bench.machine import machine
from fleet import names
from tests.box.lab import REPORTS

COMMAND = "make bench-door"
RATE = 500.0
TARGET_MS = 2.0
ROUNDS = 3
WARM_UP_S = 1.0


@dataclass(frozen=True)
class Case:
    """One way in, asked by all people at one rate (requests/s) for `seconds` in each round."""

    name: str
    requests: list[bytes]
    rate: float = RATE
    seconds: float = 10.0
    judged: bool = False


@dataclass(frozen=True)
class Round:
    """One round of a case. Times in ms.

    Args:
        p50, p99: from when a request was due to its whole answer; None where more than 1 % were never sent.
        answers: a second, while requests were sent.
        unsent: requests that waited for a connection when the time was over.
        errors: answers other than 200, by status.
        traefik, doors: CPU per answer, of Traefik and of both doors.
        late: how late the load itself was at p99; part of `p99`.
        load: share of a core that the load used.
        others: how many cores whatever else runs on this machine used: what disturbed the round.
    """

    p50: float | None
    p99: float | None
    answers: float
    unsent: int
    errors: dict[int, int]
    traefik: float
    doors: float
    late: float
    load: float
    others: float


@dataclass(frozen=True)
class Figure:
    """All rounds of a case, and what each took more than the same round without a lock, in ms."""

    case: Case
    rounds: list[Round]
    cost_p50: list[float]
    cost_p99: list[float]

    @property
    def missed(self) -> bool:
        """Whether this is judged, and was too slow or wrong."""
        kept_up = all(one.answers > 0.99 * self.case.rate and not one.errors for one in self.rounds)
        in_time = bool(self.cost_p99) and statistics.median(self.cost_p99) < TARGET_MS
        return self.case.judged and not (kept_up and in_time)

    def values(self, name: str) -> list[float]:
        """A field of each round that has it."""
        return [value for one in self.rounds if (value := getattr(one, name)) is not None]

    def report(self) -> dict[str, object]:
        return {
            "case": self.case.name,
            "asked_per_s": self.case.rate,
            "missed": self.missed,
            "cost_p50": self.cost_p50,
            "cost_p99": self.cost_p99,
            "rounds": [asdict(one) for one in self.rounds],
        }


def main() -> int:
    """Measure all, print the table, write reports/bench-door.json; 1 if the target was missed."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        print(
            "bench.door: Traefik and the doors have one core, the load another: two are needed",
            file=sys.stderr,
        )
        return 2
    go_first()
    with (
        on_core(cores[-1]),
        tempfile.TemporaryDirectory() as folder,
        backend() as (url, studio),
        gateway(Path(folder), url, cores[0]) as running,
    ):
        cases = _cases(running)
        done = [[_measure(running, studio, case) for case in cases] for _ in range(ROUNDS)]
    figures = [_figure(case, done, place) for place, case in enumerate(cases)]
    described = machine(COMMAND)
    described["versions"] += f", {versions()}"
    described["scheduling"] = "real-time" if goes_first() else "as usual: whatever else runs here disturbs"
    REPORTS.mkdir(exist_ok=True)
    whole = {**described, "target_ms": TARGET_MS, "figures": [figure.report() for figure in figures]}
    (REPORTS / "bench-door.json").write_text(json.dumps(whole, indent=2) + "\n")
    _print(described, figures)
    return int(any(figure.missed for figure in figures))


def _cases(running: Gateway) -> list[Case]:
    """The first is the one that the others are compared with."""

    def requests(project: str, credentials: Iterable[str]) -> list[bytes]:
        lines = f"GET {names.path(project)}/v1/models HTTP/1.1\r\nHost: {running.domain}\r\nAccept: */*\r\n"
        return [f"{lines}{header}\r\n\r\n".encode() for header in credentials]

    basic = [f"Authorization: Basic {_base64(f'{name}:{password}')}" for name, password in PEOPLE.items()]
    cookies = [f"Cookie: {cookie}" for cookie in running.cookies]
    keys = [f"Authorization: Bearer {key}" for key in running.keys]
    cases = [
        Case("no lock", requests(OPEN, cookies)),
        Case("door, session", requests(DOOR, cookies), judged=True),
        Case("door, key", requests(DOOR, keys), judged=True),
        Case("door, Basic", requests(DOOR, basic)),
    ]
    for cost, project in ((8, BCRYPT_8), (10, BCRYPT_10)):
        case = Case(f"basicAuth, cost {cost}", requests(project, basic), seconds=4)
        with _load(running, case) as load:
            reached = load.fire(RATE, 2).answered / 2
        # At half of what it reaches nothing queues: what a check takes when it is alone.
        cases += [case, replace(case, rate=max(1.0, reached // 2))]
    return cases


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _load(running: Gateway, case: Case) -> closing[Load]:
    return closing(Load(running.address, running.domain, running.tls, case.requests))


def _measure(running: Gateway, studio: int, case: Case) -> Round:
    def used() -> tuple[float, ...]:
        doors = sum(cpu_s(pid) for pid in running.doors)
        return (
            machine_s(),
            cpu_s(running.traefik),
            doors,
            cpu_s(studio),
            cpu_s(os.getpid()),
            time.perf_counter(),
        )

    with _load(running, case) as load:
        load.fire(case.rate, WARM_UP_S)
        before = used()
        shots = load.fire(case.rate, case.seconds)
        after = used()
    whole, traefik, doors, behind, load_s, wall = (
        now - then for then, now in zip(before, after, strict=True)
    )
    count = len(shots.latencies)
    known = sorted(shots.latencies) if shots.unsent <= 0.01 * count else None
    return Round(
        p50=_percentile(known, 0.5),
        p99=_percentile(known, 0.99),
        answers=shots.answered / shots.seconds,
        unsent=shots.unsent,
        errors=dict(shots.errors),
        traefik=1000 * traefik / count,
        doors=1000 * doors / count,
        late=_percentile(sorted(shots.late), 0.99) or 0.0,
        load=load_s / wall,
        others=(whole - traefik - doors - behind - load_s) / wall,
    )


def _percentile(ordered: Sequence[float] | None, part: float) -> float | None:
    """In ms, of seconds in order."""
    return 1000 * ordered[math.ceil(part * len(ordered)) - 1] if ordered else None


def _figure(case: Case, done: Sequence[Sequence[Round]], place: int) -> Figure:
    def costs(name: str) -> list[float]:
        pairs = [(getattr(rounds[place], name), getattr(rounds[0], name)) for rounds in done]
        return [own - free for own, free in pairs if own is not None and free is not None]

    return Figure(case, [rounds[place] for rounds in done], costs("p50"), costs("p99"))


def _print(described: Mapping[str, object], figures: Sequence[Figure]) -> None:
    print("\n".join(f"{key}: {value}" for key, value in described.items()), end="\n\n")
    print(f"Requests each second, answers, ms; median (least–most) of {ROUNDS} rounds. CPU is per answer.")
    print(f"{'':19}{'asked':>6}{'answers':>9}{'p50':>8}{'p99':>22}{'costs p50':>11}{'costs p99':>22}", end="")
    print(f"{'CPU Traefik':>13}{'doors':>7}{'unsent':>8}{'errors':>8}{'late':>7}{'others':>8}")
    for figure in figures:
        middle = {
            name: _middle(figure.values(name)) for name in ("answers", "p50", "traefik", "doors", "late")
        }
        errors = sum(sum(one.errors.values()) for one in figure.rounds)
        print(
            f"{figure.case.name:19}{figure.case.rate:6.0f}{middle['answers']:>9}{middle['p50']:>8}"
            f"{_range(figure.values('p99')):>22}{_middle(figure.cost_p50):>11}{_range(figure.cost_p99):>22}"
            f"{middle['traefik']:>13}{middle['doors']:>7}{sum(figure.values('unsent')):8.0f}{errors:8}"
            f"{middle['late']:>7}{max(figure.values('others')):8.2f}{'   missed' if figure.missed else ''}"
        )


def _middle(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f}" if values else "—"


def _range(values: Sequence[float]) -> str:
    return f"{_middle(values)} ({min(values):.2f}–{max(values):.2f})" if values else "—"


if __name__ == "__main__":
    sys.exit(main())

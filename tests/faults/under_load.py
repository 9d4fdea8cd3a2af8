"""A fault done for real while jobs run and clients without retries ask: what it costs, whether it may."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise

from testinfra.host import Host

from tests.box.account import Account, Talker, Undisturbed
from tests.box.jobs import Jobs
from tests.box.lab import REPORTS, Lab, Login
from tests.box.patience import PATIENCE
from tests.box.traffic import Traffic
from tests.faults.table import Fault, Row, record

WARM_S = 40.0 * PATIENCE
TOLD = 12
# Of a failure's words; and the pause that parts two spells of failures.
PROBLEM, SPELL_S = 120, 5.0


@dataclass
class Course:
    """A fault under way: when it began, and when a host that it took away was back (monotonic)."""

    fault: Fault
    traffic: Traffic
    begin: float = field(default_factory=time.monotonic)
    returned: float | None = None

    def begins(self) -> None:
        """Now, and not when the block began: what came before was preparation."""
        self.begin = time.monotonic()

    def does(self, host: Host, command: str) -> None:
        """Begin with a command on a host. The login takes seconds on a busy machine, and is no part of it.

        The lab's hosts have this machine's clock.
        """
        at = float(host.check_output(f"date +%s.%N && {command}").split()[0])
        self.begin = time.monotonic() - (time.time() - at)

    def host_is_back(self) -> None:
        """It may be logged into."""
        self.returned = time.monotonic()


@dataclass(frozen=True)
class UnderLoad:
    """The site with people at work: ``with site.during(FAULT): …`` does it, waits for service, judges."""

    lab: Lab
    logins: Mapping[str, Login]
    keys: Mapping[str, str]
    undisturbed: Undisturbed

    @contextmanager
    def during(self, fault: Fault) -> Iterator[Course]:
        """AssertionError if the fault costs more than it may; the row is in the report all the same."""
        talkers: list[Talker] = []
        with ExitStack() as people:
            traffic = people.enter_context(Traffic(self.lab, self.logins, self.keys))
            for project, login in self.logins.items():
                jobs = people.enter_context(Jobs(self.lab, login, self.keys[project]))
                talkers.append(Talker(jobs, traffic))
                people.enter_context(talkers[-1].talking())
            traffic.until_well(time.monotonic(), WARM_S, quiet_s=1.0)
            assert not traffic.failures(), f"before {fault.name}: {traffic.failures()[:3]}"
            course = Course(fault, traffic)
            yield course
            # What took a host away has the limit from its return on.
            limit_s = (
                (course.returned or course.begin) + fault.back_within_s * PATIENCE + 60 - time.monotonic()
            )
            back = traffic.until_well(course.begin, max(limit_s, 30.0))
        accepted = [*traffic.accepted, *(job for talker in talkers for job in talker.accepted)]
        account = Account(self.lab, self.logins, self.keys, self.undisturbed)
        closed = account.close(traffic.tag, accepted)
        row = Row(
            fault=fault.name,
            sent=dict(Counter(one.kind for one in traffic.outcomes)),
            failed=dict(Counter(one.kind for one in traffic.failures())),
            jobs=closed.jobs,
            lost=closed.lost,
            doubled=closed.doubled,
            continued=traffic.continued,
            found_closed=traffic.found_closed,
            seconds=round(back - course.begin, 1),
            after_return_s=round(max(back - course.returned, 0.0), 1) if course.returned else None,
        )
        record(row)
        _keep(course)
        _judge(fault, row, course)


def _told(course: Course) -> list[str]:
    """What failed how often, and in which spells, in seconds after the fault's beginning."""
    alike: dict[str, list[float]] = {}
    for one in course.traffic.failures():
        what = f"{one.project} {one.kind}: {one.problem[:PROBLEM]}"
        alike.setdefault(what, []).append(one.begin - course.begin)
    told = []
    for what, seconds in alike.items():
        pauses = [(end, begin) for end, begin in pairwise(seconds) if begin - end > SPELL_S]
        begins = [seconds[0], *(begin for _, begin in pauses)]
        ends = [*(end for end, _ in pauses), seconds[-1]]
        spells = ", ".join(f"{begin:.0f} to {end:.0f} s" for begin, end in zip(begins, ends, strict=True))
        told.append(f"  {len(seconds)} {what} ({spells})")
    return told[:TOLD]


def _keep(course: Course) -> None:
    """Every failure in reports/, with its second after the fault's beginning."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", course.fault.name)
    lines = [
        {"s": round(one.begin - course.begin, 2), "took_s": round(one.end - one.begin, 2), "kind": one.kind}
        | {"project": one.project, "problem": one.problem}
        for one in course.traffic.failures()
    ]
    (REPORTS / f"fault-{name}.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def _judge(fault: Fault, row: Row, course: Course) -> None:
    # A machine that has others to serve as well may not manage twenty a second; ten it must.
    traffic, failures = course.traffic, course.traffic.failures()
    told = "\n".join(_told(course))
    sent = len(traffic.outcomes)
    assert traffic.unsent <= sent, f"{traffic.unsent} requests could not be sent ({sent} were): too many hang"
    assert not row.lost, f"{fault.name} lost {len(row.lost)} of {row.jobs}: {row.lost[:TOLD]}"
    assert not row.doubled, f"{fault.name} doubled: {row.doubled[:TOLD]}"
    if fault.unnoticed:
        assert not failures, f"{fault.name} failed {dict(row.failed)} of {dict(row.sent)} requests:\n{told}"
    seconds = row.seconds if row.after_return_s is None else row.after_return_s
    assert seconds <= fault.back_within_s * PATIENCE, f"{fault.name}: full service after {seconds} s:\n{told}"

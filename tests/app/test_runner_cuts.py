"""A job that is handed over again and again, in turns and in pauses, sounds as if one had spoken it."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from engines import exact, reach, started
from jobbing import assert_undisturbed, at_work, submitted, talk
from running import THOROUGH, wait_for
from vibevoice.engine import Engine
from vibevoice.jobs.store import Store

# Of a second and a half each: most of what is handed over stands in one of them.
PAUSES_MS = 1500
# What each runner speaks before the next one has the job: whatever it first saved, or five frames.
AT_LEAST = 1 if THOROUGH else 5 * 3200


@pytest.fixture(scope="module")
def engine(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with started(exact(checkpoint, tmp_path_factory.mktemp("locks"))) as engine:
        reach(engine, "ready")
        yield engine


@pytest.mark.parametrize("seed", [1])
@pytest.mark.parametrize("one_take", [False, True])
def test_a_job_handed_over_at_every_moment_is_whole(
    store: Store, engine: Engine, seed: int, one_take: bool
) -> None:
    new = talk(2, words="Hello there my friend.", seed=seed, one_take=one_take)
    turns = tuple(
        type(turn)(turn.speaker, turn.text, pause_ms=PAUSES_MS if n % 2 else turn.pause_ms)
        for n, turn in enumerate(new.turns)
    )
    segments = ((0, len(turns), 16.0),) if one_take else new.segments
    job = submitted(store, type(new)(**{**vars(new), "turns": turns, "segments": segments}))
    runners = 0
    for runners in itertools.count(1):
        before = store.get(job.id)
        if before.final:
            break
        with at_work(store, engine, name=f"runner-{runners}"):
            # So much more, or its end: then the next one has it.
            enough = before.samples + AT_LEAST
            wait_for(lambda enough=enough: store.get(job.id).samples >= enough or store.get(job.id).final)
    assert runners > 6, "handed over too seldom to show anything"
    assert_undisturbed(store, engine, job)

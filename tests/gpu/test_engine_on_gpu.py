"""The engine on a GPU: its graphs, its attention, results a frame late, and its process."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from device import DEVICE
from engines import reach, say, sound, started
from speaking import TALK, admitted, saved, speak, spoken
from speaking import sound as heard
from vibevoice.engine import Patience, Setup
from vibevoice.engine.attention import flash_works
from vibevoice.engine.batch import Batch
from vibevoice.engine.checkpoint import load
from vibevoice.engine.generation import CheckpointError, End, Frame, Generation
from vibevoice.script import Turn

HALF = torch.bfloat16


@pytest.fixture(scope="module")
def batch(lively: Path) -> Batch:
    return Batch(load(lively, DEVICE, HALF), slots=4, kv_bytes=2**26)


@pytest.mark.parametrize("turns", [TALK, TALK * 12], ids=["short", "long"])
def test_in_float32_the_gpu_says_what_the_cpu_says(lively: Path, turns: tuple[Turn, ...]) -> None:
    """Ten frames: what a last bit makes of a longer stream is chance."""
    generation = Generation(turns, seed=1, cap=10)
    expected, found = (
        heard(speak(Batch(load(lively, device, torch.float32), slots=1, kv_bytes=2**26), generation))
        for device in ("cpu", DEVICE)
    )
    assert np.abs(found - expected).max() < 1e-2 * np.abs(expected).max()


def test_flash_attention_proves_itself_here() -> None:
    assert flash_works(torch.device(DEVICE, 0))


def test_in_bfloat16_a_stream_ends_by_itself(batch: Batch) -> None:
    said = speak(batch, Generation(TALK, seed=1))
    assert said[-1] == End(capped=False)
    samples = heard(said)
    assert np.isfinite(samples).all()
    assert 0.01 < np.sqrt(np.mean(samples**2)) < 2


def test_a_stream_among_others_equals_its_solo_run(lively: Path) -> None:
    same = Batch(load(lively, DEVICE, HALF), slots=4, kv_bytes=2**26, buckets=(4,))
    generations = [Generation(TALK, seed=seed, guidance=1 + seed / 4) for seed in range(4)]
    alone = [heard(speak(same, generation)) for generation in generations]
    together = spoken(same, *(admitted(same, generation) for generation in generations))
    for solo, said in zip(alone, together, strict=True):
        assert np.array_equal(solo, heard(said))


def test_streams_come_and_go_between_replays(batch: Batch) -> None:
    runs = [admitted(batch, Generation(TALK, seed=seed)) for seed in range(3)]
    for _ in range(5):
        batch.step()
    batch.remove(runs[0])
    late = admitted(batch, Generation(TALK, seed=9))
    ended = set()
    while batch.busy:
        ended |= {run for run, event in batch.step() if isinstance(event, End)}
    assert ended == {runs[1], runs[2], late}
    assert batch.kv_free == batch.kv_tokens


def test_a_removed_streams_last_frame_is_not_its_successors(batch: Batch) -> None:
    """Results come a frame late: what is under way when a slot changes hands belongs to nobody."""
    expected = [type(event) for event in speak(batch, Generation(TALK, seed=2, cap=6))]
    first = admitted(batch, Generation(TALK, seed=1))
    batch.step()
    batch.remove(first)
    [said] = spoken(batch, admitted(batch, Generation(TALK, seed=2, cap=6)))
    assert [type(event) for event in said] == expected
    assert sum(isinstance(event, Frame) for event in said) == 6


def test_a_resumed_stream_goes_on_where_it_was(batch: Batch) -> None:
    whole = speak(batch, Generation(TALK, seed=9))
    rest = speak(batch, Generation(TALK, seed=9, resume=saved(batch, whole[:12])))
    after, again = heard(whole[12:])[:3200], heard(rest)[:3200]
    # One frame, in bfloat16, its keys read at once instead of one by one.
    assert np.abs(again - after).max() < 0.2 * np.abs(after).max()


def test_an_engine_that_is_killed_on_its_gpu_costs_nobody_a_frame(checkpoint: Path, tmp_path: Path) -> None:
    setup = Setup(checkpoint, DEVICE, lock_dir=tmp_path, streams=2, kv_bytes=2**26)
    with started(setup, patience=Patience(pause_s=0.1)) as engine:
        reach(engine, "ready")
        assert [path.name.startswith(("GPU-", "slot-")) for path in tmp_path.iterdir()] == [True]
        stream = engine.submit(say("Speaker 1: " + "Hello there my friend, how are you? " * 8))
        frames = stream.frames()
        for _ in range(10):
            next(frames)
        assert engine.pid
        os.kill(engine.pid, signal.SIGKILL)
        assert len(sound(stream)) == stream.future.result(120).frames * 3200
        assert engine.restarts == 1


def test_a_gpu_beyond_the_last_is_named(checkpoint: Path) -> None:
    last = torch.cuda.device_count() - 1
    with pytest.raises(CheckpointError, match=f"'cuda:99', but the last GPU here is cuda:{last}"):
        load(checkpoint, "cuda:99")


def test_a_gpu_without_room_for_the_weights_is_told(checkpoint: Path) -> None:
    held = torch.empty(torch.cuda.mem_get_info()[0] - 10 * 2**20, dtype=torch.uint8, device="cuda")
    with pytest.raises(CheckpointError, match=r"the weights need 0\.0 GiB, but only 0\.0 of "):
        load(checkpoint, "cuda")
    del held
    torch.cuda.empty_cache()

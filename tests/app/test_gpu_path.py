"""What a step does on a GPU, without one: shapes and types are followed through, and nothing is asked.

The numbers, the kernels and the graphs themselves need a GPU: `python -m vibevoice.bench --device cuda`.
"""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from vibevoice.engine import attention, codec, layers
from vibevoice.engine.checkpoint import load
from vibevoice.engine.frame import Slots
from vibevoice.engine.graphs import length_buckets, slot_buckets
from vibevoice.engine.parts import Parts
from vibevoice.engine.solver import Algorithm, Schedule


def without_numbers(value: Any, mode: FakeTensorMode) -> Any:
    """`value` with every tensor in it replaced by one that has a shape and a type, and nothing else."""
    if isinstance(value, torch.Tensor):
        return mode.from_tensor(value)
    if isinstance(value, list | tuple):
        return type(value)(without_numbers(one, mode) for one in value)
    if isinstance(value, Slots | Parts) or type(value).__module__ in MODEL:
        for name, one in vars(value).items():
            object.__setattr__(value, name, without_numbers(one, mode))
    return value


MODEL = {f"vibevoice.engine.{name}" for name in ("codec", "diffusion", "language", "layers", "memory")}


@pytest.mark.parametrize("flash", [True, False], ids=["flash", "gathered"])
@pytest.mark.parametrize("algorithm", ["dpmsolver++", "sde-dpmsolver++"])
def test_a_step_on_a_gpu_never_waits_for_it(
    lively: Path, algorithm: Algorithm, flash: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A question to the device (item, tolist, a boolean index) cannot be answered here, and none may be in a
    CUDA graph."""
    parts = Parts(load(lively, "cpu", torch.bfloat16), Schedule.make(10, algorithm))
    slots = Slots(parts, parts.language.store(10), 4)
    for module in (attention, codec, layers):
        monkeypatch.setattr(module, "on_gpu", lambda _: True)
    monkeypatch.setattr(attention, "flash_works", lambda _: flash)
    with FakeTensorMode() as mode, torch.inference_mode():
        without_numbers(slots, mode)
        before = {
            name: (one.shape, one.dtype) for name, one in vars(slots).items() if isinstance(one, torch.Tensor)
        }
        assert before["samples"] == ((4, 3200), torch.bfloat16)
        for count in (1, 4):
            slots.advance(count, 512)
        with pytest.raises(DataDependentOutputException):
            slots.mark.tolist()
    assert before == {
        n: (one.shape, one.dtype) for n, one in vars(slots).items() if isinstance(one, torch.Tensor)
    }


def test_graphs_are_of_powers_of_two_and_bounds_up_to_the_context() -> None:
    assert slot_buckets(1) == (1,)
    assert slot_buckets(8) == (1, 2, 4, 8)
    assert slot_buckets(12) == (1, 2, 4, 8, 12)
    assert length_buckets(65_536) == (2048, 8192, 32_768, 65_536)
    assert length_buckets(2048) == (2048,)

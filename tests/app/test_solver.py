"""The solver gives what diffusers gives."""

from typing import Any

import pytest
import torch
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from vibevoice.engine.solver import Solver


@pytest.mark.parametrize("steps", [1, 2, 5, 10, 20, 50])
def test_a_whole_denoising_run_equals_the_reference(steps: int) -> None:
    reference: Any = DPMSolverMultistepScheduler(
        beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction"
    )
    ours = Solver()
    reference.set_timesteps(num_inference_steps=steps)
    ours.set_timesteps(num_inference_steps=steps)
    assert ours.timesteps.tolist() == reference.timesteps.tolist()

    generator = torch.Generator().manual_seed(steps)
    weight = torch.randn(64, 64, generator=generator) / 8
    expected = got = torch.randn(2, 64, generator=generator)
    for time in reference.timesteps:
        # Any smooth function will do for a model.
        expected = reference.step(torch.tanh(expected @ weight), time, expected).prev_sample
        got = ours.step(torch.tanh(got @ weight), time, got).prev_sample
    torch.testing.assert_close(got, expected, rtol=2e-5, atol=2e-5)


def test_a_second_run_starts_over() -> None:
    solver, noise = Solver(), torch.ones(2, 4)
    runs = []
    for _ in range(2):
        solver.set_timesteps(num_inference_steps=3)
        sample = noise
        for time in solver.timesteps:
            sample = solver.step(sample * 0.5, time, sample).prev_sample
        runs.append(sample)
    assert torch.equal(*runs)


def test_another_scheduler_in_the_checkpoint_is_refused() -> None:
    with pytest.raises(ValueError, match="DDIMScheduler"):
        Solver.from_config("DDIMScheduler", {}, "cpu")
    with pytest.raises(ValueError, match="epsilon"):
        Solver.from_config("DPMSolverMultistepScheduler", {"prediction_type": "epsilon"}, "cpu")

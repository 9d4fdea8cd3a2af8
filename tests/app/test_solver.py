"""The solver's tables give what diffusers gives, step by step."""

from typing import Any
from unittest import mock

import pytest
import torch
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from vibevoice.engine.solver import Algorithm, Schedule


def solve(schedule: Schedule, noise: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """As the diffusion head does, with any smooth function for a model. `noise` [draws, …]."""
    x, clean = noise[0], None
    for number, step in enumerate(schedule.steps):
        before, clean = clean, step.alpha * x - step.sigma * torch.tanh(x @ weight)
        x = step.carry * x + step.now * clean + step.noise * noise[(1 + number) % len(noise)]
        if before is not None:
            x = x + step.before * before
    return x


@pytest.mark.parametrize("algorithm", ["dpmsolver++", "sde-dpmsolver++"])
@pytest.mark.parametrize("steps", [1, 2, 5, 10, 14, 15, 20, 50])
def test_a_whole_denoising_run_equals_the_reference(steps: int, algorithm: Algorithm) -> None:
    reference: Any = DPMSolverMultistepScheduler(
        beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction", algorithm_type=algorithm
    )
    schedule = Schedule.make(steps, algorithm)
    reference.set_timesteps(num_inference_steps=steps)
    assert list(schedule.times) == reference.timesteps.tolist()

    generator = torch.Generator().manual_seed(steps)
    weight = torch.randn(64, 64, generator=generator) / 8
    noise = torch.randn(schedule.draws, 2, 64, generator=generator)
    assert schedule.draws == (1 if algorithm == "dpmsolver++" else 1 + steps)
    expected = noise[0]
    with mock.patch(
        "diffusers.schedulers.scheduling_dpmsolver_multistep.randn_tensor", side_effect=noise[1:]
    ):
        for time in reference.timesteps:
            expected = reference.step(torch.tanh(expected @ weight), time, expected).prev_sample
    torch.testing.assert_close(solve(schedule, noise, weight), expected, rtol=2e-6, atol=2e-6)


def test_a_checkpoint_says_how_it_is_denoised() -> None:
    asked = {"noise_scheduler_config": {"algorithm_type": "sde-dpmsolver++"}, "num_diffusion_steps": 7}
    schedule = Schedule.of_checkpoint(asked)
    assert (schedule.algorithm, len(schedule.steps)) == ("sde-dpmsolver++", 7)
    mine = Schedule.of_checkpoint(asked, steps=5, algorithm="dpmsolver++")
    assert (mine.algorithm, len(mine.steps)) == ("dpmsolver++", 5)


@pytest.mark.parametrize(
    ("asked", "complaint"),
    [
        ({"noise_scheduler_class": "DDIMScheduler"}, "DDIMScheduler"),
        ({"noise_scheduler_config": {"prediction_type": "epsilon"}}, "epsilon"),
        ({"noise_scheduler_config": {"solver_order": 3}}, "solver_order"),
        ({"noise_scheduler_config": {"use_karras_sigmas": True}}, "karras"),
    ],
)
def test_another_scheduler_in_the_checkpoint_is_refused(asked: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Schedule.of_checkpoint(asked)


def test_other_steps_and_solvers_than_there_are_are_refused() -> None:
    with pytest.raises(ValueError, match="0 steps"):
        Schedule.make(0)
    with pytest.raises(ValueError, match="euler"):
        Schedule.of_checkpoint({}, algorithm="euler")

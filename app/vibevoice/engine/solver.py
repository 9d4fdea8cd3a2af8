"""DPM-Solver++(2M), the checkpoints' own noise scheduler, from tables.

The numbers of a step depend only on the schedule and the number of steps, so they are computed once for each
pair; `diffusers` computes them again for every frame, on the CPU, and is a large dependency for that.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import torch

TRAINING_STEPS = 1000
# The options of diffusers' DPMSolverMultistepScheduler that this solver implements.
SUPPORTED = {
    "num_train_timesteps": TRAINING_STEPS,
    "beta_schedule": "squaredcos_cap_v2",
    "prediction_type": "v_prediction",
    "algorithm_type": "dpmsolver++",
    "solver_order": 2,
    "solver_type": "midpoint",
    "timestep_spacing": "linspace",
    "final_sigmas_type": "zero",
    "lower_order_final": True,
}


@dataclass(frozen=True)
class Step:
    """One step: x0 = alpha * x - sigma * v, then x' = carry * x + now * x0 + before * x0 of the last step."""

    alpha: float
    sigma: float
    carry: float
    now: float
    before: float


@dataclass(frozen=True)
class StepOutput:
    prev_sample: torch.Tensor


class Solver:
    """The part of a diffusers scheduler that VibeVoice's generation uses. One generation at a time."""

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.device = device
        self.timesteps = torch.empty(0)
        self._steps: tuple[Step, ...] = ()
        self._next = 0
        self._last_clean: torch.Tensor | None = None

    @classmethod
    def from_config(cls, name: str, config: Mapping[str, Any], device: torch.device | str) -> "Solver":
        """The solver a checkpoint's generation configuration asks for.

        Raises ValueError if that is another one than this.
        """
        wrong = {
            key: value for key, value in config.items() if key not in SUPPORTED or SUPPORTED[key] != value
        }
        if name != "DPMSolverMultistepScheduler" or wrong:
            raise ValueError(
                f"generation_config.json asks for the noise scheduler {name} {wrong or ''}".rstrip()
            )
        return cls(device)

    def set_timesteps(self, num_inference_steps: int) -> None:
        """Start over, with this many steps from noise to latent."""
        times, self._steps = table(num_inference_steps)
        if len(self.timesteps) != len(times):
            self.timesteps = torch.tensor(times, device=self.device)
        self._next, self._last_clean = 0, None

    def step(self, model_output: torch.Tensor, timestep: torch.Tensor, sample: torch.Tensor) -> StepOutput:
        """One step on. `model_output` (v) and `sample` have one shape; `timestep` is the next one."""
        now = self._steps[self._next]
        clean = now.alpha * sample.float() - now.sigma * model_output.float()
        moved = now.carry * sample.float() + now.now * clean
        if self._last_clean is not None and now.before:
            moved = moved + now.before * self._last_clean
        self._next, self._last_clean = self._next + 1, clean
        return StepOutput(moved.to(model_output.dtype))


@lru_cache
def table(steps: int) -> tuple[tuple[int, ...], tuple[Step, ...]]:
    """Time steps and coefficients for `steps` steps (Lu et al. 2022: 2M, midpoint; last step first order).

    Raises ValueError for less than one step.
    """
    if steps < 1:
        raise ValueError(f"cannot denoise in {steps} steps")
    sigma_at = _training_sigmas()
    times = np.linspace(0, TRAINING_STEPS - 1, steps + 1).round()[::-1][:-1].astype(np.int64)
    sigmas = [*np.interp(times, np.arange(TRAINING_STEPS), sigma_at).astype(np.float32).tolist(), 0.0]
    rows: list[Step] = []
    for i in range(steps):
        alpha, sigma = _alpha_sigma(sigmas[i])
        next_alpha, next_sigma = _alpha_sigma(sigmas[i + 1])
        if sigmas[i + 1] == 0:
            rows.append(Step(alpha, sigma, carry=0.0, now=1.0, before=0.0))
            continue
        h = math.log(sigmas[i] / sigmas[i + 1])
        carry, gain = next_sigma / sigma, -next_alpha * math.expm1(-h)
        # How much the slope from the last step counts: half of h over the last step's own h.
        slope = 0.5 * h / math.log(sigmas[i - 1] / sigmas[i]) if i else 0.0
        rows.append(Step(alpha, sigma, carry, now=gain * (1 + slope), before=-gain * slope))
    return tuple(times.tolist()), tuple(rows)


def _training_sigmas() -> np.ndarray:
    """Noise over signal at each training step of the squared-cosine schedule, betas capped at 0.999."""

    def signal(time: float) -> float:
        return math.cos((time + 0.008) / 1.008 * math.pi / 2) ** 2

    edges = [signal(i / TRAINING_STEPS) for i in range(TRAINING_STEPS + 1)]
    betas = np.array([min(1 - b / a, 0.999) for a, b in pairwise(edges)], dtype=np.float32)
    kept = np.cumprod(1 - betas, dtype=np.float32)
    return ((1 - kept) / kept) ** 0.5


def _alpha_sigma(sigma: float) -> tuple[float, float]:
    """The pair (alpha, sigma) with alpha² + sigma² = 1 for a noise-over-signal ratio."""
    alpha = 1 / math.sqrt(sigma * sigma + 1)
    return alpha, sigma * alpha

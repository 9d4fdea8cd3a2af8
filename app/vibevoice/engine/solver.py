"""DPM-Solver++(2M), plain or stochastic, the checkpoints' noise schedulers, as tables.

The numbers of a step depend only on the schedule and the number of steps, so they are computed once.
`diffusers` computes them again for every frame, on the CPU, and is a large dependency for that. They are
computed as it does, in float32 and in its order of operations, so that both give the same to the last bits.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

Algorithm = Literal["dpmsolver++", "sde-dpmsolver++"]
TRAINING_STEPS = 1000
# The options of diffusers' DPMSolverMultistepScheduler that are implemented.
SUPPORTED = {
    "num_train_timesteps": (TRAINING_STEPS,),
    "beta_schedule": ("squaredcos_cap_v2",),
    "prediction_type": ("v_prediction",),
    "algorithm_type": get_args(Algorithm),
    "solver_order": (2,),
    "solver_type": ("midpoint",),
    "timestep_spacing": ("linspace",),
    "final_sigmas_type": ("zero",),
    "lower_order_final": (True,),
}


@dataclass(frozen=True)
class Step:
    """One step: clean = alpha * x - sigma * v, then
    x' = carry * x + now * clean + before * clean of the last step + noise * a draw of unit variance."""

    alpha: float
    sigma: float
    carry: float
    now: float
    before: float
    noise: float


@dataclass(frozen=True)
class Schedule:
    """From noise to latent: the times that the denoiser is asked about, and what is done with its answers."""

    algorithm: Algorithm
    times: tuple[int, ...]
    steps: tuple[Step, ...]

    @property
    def draws(self) -> int:
        """Draws of noise for each frame: the beginning, and one for each step of a stochastic solver."""
        return 1 + len(self.steps) * (self.algorithm == "sde-dpmsolver++")

    @classmethod
    def make(cls, steps: int, algorithm: Algorithm = "dpmsolver++") -> "Schedule":
        """Of `steps` steps. Raises ValueError for none, and for more than the training had."""
        if not 1 <= steps < TRAINING_STEPS:
            raise ValueError(f"cannot denoise in {steps} steps; 5 to 20 are usual")
        times = np.linspace(0, TRAINING_STEPS - 1, steps + 1).round()[::-1][:-1].astype(np.int64)
        sigmas = np.interp(times, np.arange(TRAINING_STEPS), _training_sigmas())
        points = [_Point.at(sigma) for sigma in torch.from_numpy(np.append(sigmas, 0).astype(np.float32))]
        rows = tuple(_step(points, number, algorithm) for number in range(steps))
        return cls(algorithm, tuple(times.tolist()), rows)

    @classmethod
    def of_checkpoint(
        cls, defaults: Mapping[str, Any], steps: int | None = None, algorithm: str | None = None
    ) -> "Schedule":
        """What a checkpoint's generation_config.json asks for, unless steps and algorithm say otherwise.

        Raises ValueError if it asks for another scheduler than these.
        """
        name = defaults.get("noise_scheduler_class") or "DPMSolverMultistepScheduler"
        config = defaults.get("noise_scheduler_config") or {}
        wrong = {key: value for key, value in config.items() if value not in SUPPORTED.get(key, ())}
        if name != "DPMSolverMultistepScheduler" or wrong:
            raise ValueError(
                f"generation_config.json asks for the noise scheduler {name} {wrong or ''}".rstrip()
            )
        known: dict[str, Algorithm] = {name: name for name in get_args(Algorithm)}
        algorithm = algorithm or config.get("algorithm_type", "dpmsolver++")
        if algorithm not in known:
            raise ValueError(f"there is no solver '{algorithm}'; use {' or '.join(known)}")
        return cls.make(steps or defaults.get("num_diffusion_steps") or 10, known[algorithm])


@dataclass(frozen=True)
class _Point:
    """Where the noise stands: alpha² + sigma² = 1, and the logarithm of alpha / sigma; float32."""

    alpha: Tensor
    sigma: Tensor
    log: Tensor

    @classmethod
    def at(cls, ratio: Tensor) -> "_Point":
        alpha = 1 / ((ratio**2 + 1) ** 0.5)
        sigma = ratio * alpha
        return cls(alpha, sigma, torch.log(alpha) - torch.log(sigma))


def _step(points: list[_Point], number: int, algorithm: Algorithm) -> Step:
    """Lu et al. 2022, second order, midpoint; the first and the last step are of first order."""
    now, then = points[number], points[number + 1]
    h = then.log - now.log
    if algorithm == "dpmsolver++":
        carry, noise = then.sigma / now.sigma, torch.tensor(0.0)
        gain = -(then.alpha * (torch.exp(-h) - 1.0))
    else:
        carry = then.sigma / now.sigma * torch.exp(-h)
        gain = then.alpha * (1 - torch.exp(-2.0 * h))
        noise = then.sigma * torch.sqrt(1.0 - torch.exp(-2 * h))
    slope = 0.0
    if 0 < number < len(points) - 2:
        # How much the slope from the last step counts: half of h over the last step's own h.
        slope = 0.5 * float(1.0 / ((now.log - points[number - 1].log) / h))
    factor = float(gain)
    return Step(
        alpha=float(now.alpha),
        sigma=float(now.sigma),
        carry=float(carry),
        now=factor + factor * slope,
        before=-factor * slope,
        noise=float(noise),
    )


def _training_sigmas() -> np.ndarray:
    """Noise over signal at each training step of the squared-cosine schedule, betas capped at 0.999."""

    def signal(time: float) -> float:
        return math.cos((time + 0.008) / 1.008 * math.pi / 2) ** 2

    betas = [
        min(1 - signal((i + 1) / TRAINING_STEPS) / signal(i / TRAINING_STEPS), 0.999)
        for i in range(TRAINING_STEPS)
    ]
    kept = torch.cumprod(1.0 - torch.tensor(betas, dtype=torch.float32), dim=0)
    return (((1 - kept) / kept) ** 0.5).numpy()

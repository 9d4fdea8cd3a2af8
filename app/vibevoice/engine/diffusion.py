"""The diffusion head: from what the language model says of a frame to its acoustic latent.

What does not change from step to step is computed once for a frame: the condition's projection, and with it
the modulations of all layers for all steps as one product. What does not change from frame to frame (the
steps' embeddings, the solver's coefficients) is computed once for ever.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .layers import Norm, joined
from .solver import Schedule


class Head:
    """The denoiser with its schedule, for any number of streams at once."""

    def __init__(self, module: Any, schedule: Schedule) -> None:
        self.schedule = schedule
        self.condition = module.cond_proj.weight.detach().t()
        self.dtype = self.condition.dtype
        # Guidance and solver never work in less than float32: their coefficients are no bfloat16 numbers.
        self.wide = torch.promote_types(self.dtype, torch.float32)
        self.enter = module.noisy_images_proj.weight.detach().t()
        self.leave = module.final_layer.linear_2.weight.detach().t()
        width = self.condition.shape[0]
        self.norm = Norm(self.condition.new_empty(width), module.final_layer.rms_norm_eps, weighted=False)
        self.layers = [_Layer(layer) for layer in module.layers]
        self.modulate = joined([*(one.linear for one in module.layers), module.final_layer.linear_1])
        # Where a layer multiplies by 1 + scale, the 1 is a bias.
        one = torch.zeros(3 * len(self.layers) + 2, width, dtype=self.dtype, device=self.condition.device)
        one[1 : 3 * len(self.layers) : 3] = 1
        one[-1] = 1
        self.one = one.flatten()
        times = torch.tensor(schedule.times, device=self.condition.device).to(self.dtype)
        with torch.no_grad():
            embedded = module.timestep_embedding(times).to(self.dtype)
            self.times = module.timestep_proj(embedded)[:, None].contiguous()  # [steps, 1, hidden]

    def __call__(self, condition: Tensor, noise: Tensor, guidance: Tensor) -> Tensor:
        """A latent [n, latent] for each stream.

        Args:
            condition: the language model's last hidden states [2 * n, hidden], first all with the text, then
                all without.
            noise: [n, draws, latent] of unit variance: what to begin with, and for a stochastic solver what
                to add at each step.
            guidance: [n, 1], in the wide type.
        """
        n = noise.shape[0]
        inner = F.silu(torch.mm(condition, self.condition) + self.times)
        modulations = F.linear(inner, self.modulate, self.one).unflatten(-1, (3 * len(self.layers) + 2, -1))
        draws = noise.unbind(1)
        x, clean = draws[0].to(self.dtype).to(self.wide), None
        for number, step in enumerate(self.schedule.steps):
            v = self._velocity(x.to(self.dtype), modulations[number]).to(self.wide)
            v = torch.lerp(v[n:], v[:n], guidance)
            before, clean = clean, torch.sub(x * step.alpha, v, alpha=step.sigma)
            # In float32 also where the model is wider: the reference does so.
            x = torch.add(x.float() * step.carry, clean, alpha=step.now)
            if before is not None and step.before:
                x = torch.add(x, before, alpha=step.before)
            if step.noise:
                x = x + draws[1 + number] * step.noise
        return x.to(self.dtype)

    def _velocity(self, x: Tensor, modulations: Tensor) -> Tensor:
        """[2 * n, latent] from latents [n, latent]: both branches denoise the same one."""
        h = torch.mm(x, self.enter).repeat(2, 1)
        *layers, shift, scale = modulations.unbind(-2)
        for layer, *own in zip(self.layers, layers[0::3], layers[1::3], layers[2::3], strict=True):
            h = layer(h, *own)
        return torch.mm(torch.addcmul(shift, self.norm(h), scale), self.leave)


class _Layer:
    def __init__(self, module: Any) -> None:
        self.norm = Norm(module.norm.weight.detach(), module.norm.variance_epsilon)
        self.gate_up = joined([module.ffn.gate_proj, module.ffn.up_proj]).t()
        self.down = module.ffn.down_proj.weight.detach().t()

    def __call__(self, h: Tensor, shift: Tensor, scale: Tensor, gate: Tensor) -> Tensor:
        opened, up = torch.mm(torch.addcmul(shift, self.norm(h), scale), self.gate_up).chunk(2, -1)
        return torch.addcmul(h, gate, torch.mm(F.silu(opened).mul_(up), self.down))

"""What the parts of the model share: a norm, connectors, and weights joined to one product."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Up to this many channels, a norm's mean is better repeated in each channel than spread over them later.
FEW = 32


def on_gpu(x: Tensor) -> bool:
    """Whether to do what GPUs do best; on a CPU some operators are better taken another way."""
    return x.is_cuda


class Norm:
    """Division by the root mean square over the channels, times a weight for each."""

    def __init__(self, like: Tensor, eps: float, *, weighted: bool = True) -> None:
        """`like` [channels] is the weight; not `weighted`: it is part of what follows the norm."""
        self.weight, self.eps, self.shape = like if weighted else None, eps, like.shape
        channels = len(like)
        # For the CPU: squares times this are their mean, over again in each channel where those are few.
        self.mean = like.new_full((channels, channels if channels <= FEW else 1), 1 / channels)
        self.least = like.new_full((self.mean.shape[1],), eps)

    def __call__(self, x: Tensor) -> Tensor:
        """[rows, channels], and the same shape out."""
        if on_gpu(x):
            return F.rms_norm(x, self.shape, self.weight, self.eps)
        # Where ATen has no kernel for it, it takes rms_norm apart into ten operators, and sums rows of a few
        # channels one by one.
        scaled = x * torch.addmm(self.least, x * x, self.mean).rsqrt_()
        return scaled if self.weight is None else scaled.mul_(self.weight)


def joined(linears: Sequence[nn.Linear]) -> Tensor:
    """One weight [sum of outputs, inputs] of layers that have the same input.

    The layers keep working: their parameters become parts of the joined one, so nothing is held twice.
    """
    weight = torch.cat([linear.weight.detach() for linear in linears])
    parts = weight.split([linear.out_features for linear in linears])
    for linear, part in zip(linears, parts, strict=True):
        linear.weight = nn.Parameter(part, requires_grad=False)
    return weight


class Connector:
    """From latents or features to the language model's width: linear, norm, linear."""

    def __init__(self, module: Any) -> None:
        self.enter, self.enter_bias = module.linear_1.weight.detach().t(), module.linear_1.bias.detach()
        self.norm = Norm(module.act.weight.detach(), module.act.variance_epsilon)
        self.leave, self.leave_bias = module.linear_2.weight.detach().t(), module.linear_2.bias.detach()

    def __call__(self, x: Tensor) -> Tensor:
        """[rows, features] to [rows, hidden]."""
        inner = self.norm(torch.addmm(self.enter_bias, x, self.enter))
        return torch.addmm(self.leave_bias, inner, self.leave)

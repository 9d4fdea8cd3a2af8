"""What the parts of the model share: a norm, connectors, and weights joined to one product."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def rms_norm(x: Tensor, weight: Tensor | None, eps: float) -> Tensor:
    """Divide `x` [..., channels] by its root mean square over the channels, times `weight` [channels]."""
    return F.rms_norm(x, x.shape[-1:], weight, eps)


def joined(linears: Sequence[nn.Linear]) -> tuple[Tensor, Tensor | None]:
    """One weight [sum of outputs, inputs], and bias, of layers that have the same input.

    The layers keep working: their parameters become parts of the joined one, so nothing is held twice.
    """
    weight = torch.cat([linear.weight.detach() for linear in linears])
    bias = None
    if linears[0].bias is not None:
        bias = torch.cat([linear.bias.detach() for linear in linears])
    start = 0
    for linear in linears:
        end = start + linear.out_features
        linear.weight = nn.Parameter(weight[start:end], requires_grad=False)
        if bias is not None:
            linear.bias = nn.Parameter(bias[start:end], requires_grad=False)
        start = end
    return weight, bias


class Connector:
    """From latents or features to the language model's width: linear, norm, linear."""

    def __init__(self, module: Any) -> None:
        self.enter, self.enter_bias = module.linear_1.weight.detach(), module.linear_1.bias.detach()
        self.norm, self.eps = module.act.weight.detach(), module.act.variance_epsilon
        self.leave, self.leave_bias = module.linear_2.weight.detach(), module.linear_2.bias.detach()

    def __call__(self, x: Tensor) -> Tensor:
        """[..., features] to [..., hidden]."""
        inner = rms_norm(F.linear(x, self.enter, self.enter_bias), self.norm, self.eps)
        return F.linear(inner, self.leave, self.leave_bias)

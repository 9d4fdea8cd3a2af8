"""The acoustic decoder and the semantic encoder, a frame at a time.

Time is the middle dimension and channels are the last: norms and feed-forward layers then work on rows, and
every convolution but the depthwise ones is one matrix product over windows of the input. A stack keeps what
its convolutions need of the past in one tensor for each slot, so that a slot is emptied or moved at once.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .layers import rms_norm


class Convolution:
    """A causal convolution over windows of `kernel` steps, or its transpose: `up` steps for one."""

    def __init__(
        self, weight: Tensor, bias: Tensor, channels: int, kernel: int, stride: int, up: int
    ) -> None:
        """`weight` [up * outputs, kernel * channels] takes a window, oldest first; `bias` [up * outputs]."""
        self.weight, self.bias = weight.contiguous(), bias.contiguous()
        self.channels, self.kernel, self.stride, self.up = channels, kernel, stride, up
        self.past = kernel - stride

    @classmethod
    def plain(cls, conv: nn.Conv1d) -> "Convolution":
        """Of `kernel >= stride` steps to one."""
        weight = conv.weight.detach().transpose(1, 2).flatten(1)
        assert conv.bias is not None
        return cls(weight, conv.bias.detach(), conv.in_channels, conv.kernel_size[0], conv.stride[0], 1)

    @classmethod
    def transposed(cls, conv: nn.ConvTranspose1d) -> "Convolution":
        """Its kernel is twice its stride, so that an output depends on its own step and the one before.

        transformers keeps kernel - 1 steps of input, computes all of them again, and cuts the result off.
        """
        (up,) = conv.stride
        assert conv.kernel_size[0] == 2 * up
        taps = conv.weight.detach().permute(2, 1, 0)  # [2 * up, outputs, channels]
        weight = torch.cat([taps[up:], taps[:up]], -1).flatten(0, 1)
        assert conv.bias is not None
        return cls(weight, conv.bias.detach().repeat(up), conv.in_channels, 2, 1, up)

    def __call__(self, x: Tensor, past: Tensor) -> Tensor:
        """[batch, steps, channels] to [batch, steps * up / stride, outputs] and bring `past` up to date."""
        batch, steps, _ = x.shape
        window = torch.cat([past, x], 1)
        past.copy_(window[:, steps:])
        row, count = window.shape[1] * self.channels, steps // self.stride
        windows = window.as_strided(
            (batch, count, self.kernel * self.channels), (row, self.stride * self.channels, 1)
        )
        return F.linear(windows, self.weight, self.bias).view(batch, count * self.up, -1)


class Block:
    """A ConvNeXt block: depthwise convolution, then a feed-forward layer, each behind a norm."""

    def __init__(self, layer: Any) -> None:
        conv = layer.mixer.conv
        self.channels, self.past = conv.in_channels, conv.kernel_size[0] - 1
        self.norm, self.eps = layer.norm.weight.detach(), layer.norm.variance_epsilon
        self.ffn_norm = layer.ffn_norm.weight.detach()
        self.up, self.up_bias = layer.ffn.linear1.weight.detach(), layer.ffn.linear1.bias.detach()
        # The gains that scale each branch are part of its last weights.
        gain, ffn_gain = layer.gamma.detach(), layer.ffn_gamma.detach()
        self.kernels = (conv.weight.detach() * gain[:, None, None]).contiguous()  # [channels, 1, 7]
        self.taps = self.kernels[:, 0].t().contiguous()
        self.bias = conv.bias.detach() * gain
        self.down = (layer.ffn.linear2.weight.detach() * ffn_gain[:, None]).t().contiguous()
        self.down_bias = layer.ffn.linear2.bias.detach() * ffn_gain

    def __call__(self, x: Tensor, past: Tensor) -> Tensor:
        """[batch, steps, channels], and the same shape out; `past` [batch, 6, channels]."""
        window = torch.cat([past, rms_norm(x, self.norm, self.eps)], 1)
        past.copy_(window[:, x.shape[1] :])
        x = self._mixed(x, window)
        inner = F.gelu(F.linear(rms_norm(x, self.ffn_norm, self.eps), self.up, self.up_bias))
        x = x + self.down_bias
        return torch.addmm(x.view(-1, self.channels), inner.view(-1, inner.shape[-1]), self.down).view_as(x)

    def _mixed(self, x: Tensor, window: Tensor) -> Tensor:
        steps = x.shape[1]
        if x.is_cuda:
            return x + F.conv1d(
                window.transpose(1, 2), self.kernels, self.bias, groups=self.channels
            ).transpose(1, 2)
        # On a CPU a call of conv1d costs more than all of its taps.
        x = x + self.bias
        if steps == 1:
            return x.add_((window * self.taps).sum(1, keepdim=True))
        for tap, weight in enumerate(self.taps.unbind()):
            x.addcmul_(window[:, tap : tap + steps], weight)
        return x


class Stack:
    """Convolutions and blocks in a row, with the past of each in one row of memory."""

    def __init__(self, parts: Sequence[Convolution | Block]) -> None:
        self.parts = tuple(parts)
        self.state_size = sum(part.past * part.channels for part in parts)

    def __call__(self, x: Tensor, state: Tensor) -> Tensor:
        """[batch, steps, channels] through all parts; `state` [batch, state_size] is brought up to date."""
        for part, past in zip(self.parts, self._pasts(state), strict=True):
            x = part(x, past)
        return x

    def _pasts(self, state: Tensor) -> Iterator[Tensor]:
        sizes = [part.past * part.channels for part in self.parts]
        for part, past in zip(self.parts, state.split(sizes, -1), strict=True):
            yield past.unflatten(-1, (part.past, part.channels))

    def reach(self, steps: float) -> int:
        """How many of its first inputs' steps the state can depend on, if one of them is `steps` long.

        `steps` is how many steps of input come with a frame: 1 for latents, 3200 for samples.
        """
        frames = 0.0
        for part in self.parts:
            frames += part.past / steps
            if isinstance(part, Convolution):
                steps = steps / part.stride * part.up
        return math.ceil(frames) + 1


def decoder(model: Any) -> Stack:
    """From latents [batch, frames, latent] to samples [batch, frames * 3200, 1]."""
    parts: list[Convolution | Block] = [
        Convolution.plain(model.stem.conv.conv),
        *map(Block, model.stem.stage),
    ]
    for layer in model.conv_layers:
        parts += [Convolution.transposed(layer.convtr.convtr), *map(Block, layer.stage)]
    return Stack([*parts, Convolution.plain(model.head.conv)])


def encoder(model: Any) -> Stack:
    """From samples [batch, frames * 3200, 1] to features [batch, frames, features]."""
    parts: list[Convolution | Block] = [
        Convolution.plain(model.stem.conv.conv),
        *map(Block, model.stem.stage),
    ]
    for layer in model.conv_layers:
        parts += [Convolution.plain(layer.conv.conv), *map(Block, layer.stage)]
    return Stack([*parts, Convolution.plain(model.head.conv)])

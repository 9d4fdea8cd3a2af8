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

from .layers import Norm, on_gpu

# Elements that an elementwise operator should find in a row.
ROW = 1024


class Convolution:
    """A causal convolution over windows of `kernel` steps, or its transpose: `up` steps for one."""

    def __init__(
        self, weight: Tensor, bias: Tensor, channels: int, kernel: int, stride: int, up: int
    ) -> None:
        """`weight` [up * outputs, kernel * channels] takes a window, oldest first; `bias` [up * outputs]."""
        self.weight, self.bias = weight.contiguous().t(), bias.contiguous()
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
        out = torch.addmm(self.bias, windows.reshape(-1, self.kernel * self.channels), self.weight)
        return out.view(batch, count * self.up, -1)


class Block:
    """A ConvNeXt block: depthwise convolution, then a feed-forward layer, each behind a norm."""

    def __init__(self, layer: Any, steps: int) -> None:
        """`steps` of time come with each frame."""
        conv = layer.mixer.conv
        self.channels, self.past = conv.in_channels, conv.kernel_size[0] - 1
        self.norm = Norm(layer.norm.weight.detach(), layer.norm.variance_epsilon, weighted=False)
        self.ffn_norm = Norm(layer.ffn_norm.weight.detach(), layer.ffn_norm.variance_epsilon, weighted=False)
        # The norms' weights, and the gains that scale each branch, are part of the weights beside them.
        gain, ffn_gain = layer.gamma.detach(), layer.ffn_gamma.detach()
        self.kernels = conv.weight.detach() * (gain * layer.norm.weight.detach())[:, None, None]
        self.bias = conv.bias.detach() * gain
        self.up = (layer.ffn.linear1.weight.detach() * layer.ffn_norm.weight.detach()).t()
        self.up_bias = layer.ffn.linear1.bias.detach()
        self.down = (layer.ffn.linear2.weight.detach() * ffn_gain[:, None]).t()
        # Steps of few channels are taken several at a time: a processor likes long rows.
        tile = max(
            n for n in range(1, steps + 1) if steps % n == 0 and n * self.channels <= max(ROW, self.channels)
        )
        self.row = tile * self.channels
        self.taps = self.kernels[:, 0].t().repeat(1, tile).unbind()
        self.bias_row = self.bias.repeat(tile)
        self.down_bias = (layer.ffn.linear2.bias.detach() * ffn_gain).repeat(tile)

    def __call__(self, x: Tensor, past: Tensor) -> Tensor:
        """[batch, steps, channels], and the same shape out; `past` [batch, 6, channels]."""
        window = torch.cat([past, self.norm(x.view(-1, self.channels)).view_as(x)], 1)
        past.copy_(window[:, x.shape[1] :])
        mixed = self._mixed(x, window)
        inner = F.gelu(torch.addmm(self.up_bias, self.ffn_norm(mixed.view(-1, self.channels)), self.up))
        mixed = (mixed.view(-1, self.row) + self.down_bias).view(-1, self.channels)
        return torch.addmm(mixed, inner, self.down).view_as(x)

    def _mixed(self, x: Tensor, window: Tensor) -> Tensor:
        batch, steps, _ = x.shape
        if on_gpu(x):
            mixed = F.conv1d(window.transpose(1, 2), self.kernels, self.bias, groups=self.channels)
            return x + mixed.transpose(1, 2)
        # On a CPU a call of conv1d costs more than all of its taps.
        rows = x.view(batch, -1, self.row) + self.bias_row
        for tap, weight in enumerate(self.taps):
            rows.addcmul_(window.narrow(1, tap, steps).view(batch, -1, self.row), weight)
        return rows.view_as(x)


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
    steps = 1
    parts: list[Convolution | Block] = [Convolution.plain(model.stem.conv.conv)]
    parts += [Block(layer, steps) for layer in model.stem.stage]
    for layer in model.conv_layers:
        parts.append(widened := Convolution.transposed(layer.convtr.convtr))
        steps *= widened.up
        parts += [Block(block, steps) for block in layer.stage]
    return Stack([*parts, Convolution.plain(model.head.conv)])


def encoder(model: Any, hop: int) -> Stack:
    """From samples [batch, frames * hop, 1] to features [batch, frames, features]."""
    steps = hop
    parts: list[Convolution | Block] = [Convolution.plain(model.stem.conv.conv)]
    parts += [Block(layer, steps) for layer in model.stem.stage]
    for layer in model.conv_layers:
        parts.append(narrowed := Convolution.plain(layer.conv.conv))
        steps //= narrowed.stride
        parts += [Block(block, steps) for block in layer.stage]
    return Stack([*parts, Convolution.plain(model.head.conv)])

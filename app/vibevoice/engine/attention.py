"""Attention of one new token in each row to what its row has in the store."""

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from .layers import on_gpu


class Reach:
    """Which keys each row of a step may see: the first `used` tokens of its run of the store."""

    def __init__(self, base: Tensor, used: Tensor, longest: int) -> None:
        """`base` and `used` [rows], integers; `longest` is what no row has more than."""
        self.base, self.used, self.longest = base, used, longest
        if on_gpu(base):
            self.lengths = used.to(torch.int32)
            self.queries = torch.arange(len(base) + 1, dtype=torch.int32, device=base.device)
            self.places = F.pad(base, (0, 1)).to(torch.int32)
        else:
            self.spans = list(zip(base.tolist(), used.tolist(), strict=True))

    def attend(self, query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """[rows, heads * width] from queries [rows, heads, width] and a layer's part of the store."""
        if not on_gpu(query):
            return _each(self, query, keys, values)
        # Flash attention is for half precision.
        chosen = _flash if query.dtype.itemsize == 2 and flash_works(query.device) else gathered
        return chosen(self, query, keys, values)


def _each(reach: Reach, query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Row after row, each of its own length: for the CPU, where lengths are known without a sync."""
    # Query heads that share keys are one query after another to those keys.
    rows = query.view(len(query), 1, keys.shape[1], -1, query.shape[2]).unbind()
    found = [
        F.scaled_dot_product_attention(row, keys.narrow(2, *span), values.narrow(2, *span))
        for row, span in zip(rows, reach.spans, strict=True)
    ]
    return torch.cat(found).view(len(query), -1)


def _flash(reach: Reach, query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """All rows at once, each of its own length, which stays on the device.

    Flash attention reads a row's keys from where its "cumulative" length says, and as many as it has used:
    the runs of the store need neither be in order nor without gaps. (A block table would say the same, but
    only flash attention 3 takes one, which PyTorch does not bring.)
    """
    from torch.nn.attention.varlen import varlen_attn

    out = varlen_attn(
        query,
        keys[0].transpose(0, 1),
        values[0].transpose(0, 1),
        reach.queries,
        reach.places,
        1,
        reach.longest,
        enable_gqa=True,
        seqused_k=reach.lengths,
    )
    assert isinstance(out, Tensor)
    return out.flatten(1)


def gathered(reach: Reach, query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """All rows as long as the longest may be, from copies: slow, but with nothing that a GPU could lack."""
    places = torch.arange(reach.longest, device=query.device)
    seen = places < reach.used[:, None]
    index = torch.where(seen, reach.base[:, None] + places, 0)
    rows = query.view(len(query), keys.shape[1], -1, query.shape[2])
    found = F.scaled_dot_product_attention(
        rows,
        keys[0][:, index].transpose(0, 1),
        values[0][:, index].transpose(0, 1),
        attn_mask=seen[:, None, None],
    )
    return found.flatten(1)


@lru_cache
def flash_works(place: torch.device) -> bool:
    """Whether flash attention gives on this GPU what plain attention gives; asked once, of small numbers."""
    generator = torch.Generator(place).manual_seed(0)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, device=place, dtype=torch.bfloat16)

    query, keys, values = drawn(3, 12, 128), drawn(1, 2, 1024, 128), drawn(1, 2, 1024, 128)
    base, used = torch.tensor([512, 0, 256], device=place), torch.tensor([300, 1, 77], device=place)
    reach = Reach(base, used, 512)
    try:
        found = _flash(reach, query, keys, values)
    except RuntimeError:
        # Older than Ampere, or a build without it.
        return False
    return torch.allclose(found, gathered(reach, query, keys, values), rtol=0.02, atol=0.02)

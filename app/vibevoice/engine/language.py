"""The language model: prompts at once, then all streams a token at a time, with and without their text."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention.bias import causal_lower_right

from .attention import Reach
from .layers import Norm, joined
from .memory import Store

# A prompt is read in pieces of this many tokens, which bounds what its attention takes.
CHUNK = 2048


class LanguageModel:
    """Qwen2's layers over a Store that is given to each call."""

    def __init__(self, module: Any, positions: int) -> None:
        """`module` is transformers' Qwen2Model; `positions` the longest context that it is used with."""
        config = module.config
        self.heads, self.kv_heads = config.num_attention_heads, config.num_key_value_heads
        self.width = module.layers[0].self_attn.head_dim
        self.embed = module.embed_tokens.weight.detach()
        self.norm = Norm(module.norm.weight.detach(), config.rms_norm_eps)
        self.layers = [_Layer(layer) for layer in module.layers]
        rotary = module.rotary_emb
        angles = torch.outer(
            torch.arange(positions, device=self.embed.device).float(), rotary.inv_freq.float()
        )
        cos, sin = angles.cos() * rotary.attention_scaling, angles.sin() * rotary.attention_scaling
        self.cos = torch.cat([cos, cos], -1).to(self.embed.dtype)
        # Signed, so that a head's halves need only to be swapped.
        self.sin = torch.cat([-sin, sin], -1).to(self.embed.dtype)

    def store(self, pages: int) -> Store:
        """Room for keys and values."""
        return Store(len(self.layers), self.kv_heads, self.width, pages, self.embed.dtype, self.embed.device)

    @property
    def page_bytes(self) -> int:
        return Store.page_bytes(len(self.layers), self.kv_heads, self.width, self.embed.dtype)

    def step(self, x: Tensor, store: Store, base: Tensor, length: Tensor, longest: int) -> Tensor:
        """One token for each row.

        Args:
            x: embeddings [rows, hidden].
            base: where each row's run of the store begins [rows].
            length: how many tokens the row has so far, which is this one's position [rows].
            longest: what no row will be longer than, this token included.

        Returns:
            Last hidden states [rows, hidden], normed.
        """
        place, reach = base + length, Reach(base, length + 1, longest)
        cos, sin = self.cos[length][:, None], self.sin[length][:, None]
        for layer, (keys, values) in zip(self.layers, store.layers, strict=True):
            query, key, value = self._project(layer, x, cos, sin)
            keys.index_copy_(2, place, key.transpose(0, 1)[None])
            values.index_copy_(2, place, value.transpose(0, 1)[None])
            x = layer.finish(x, reach.attend(query, keys, values))
        return self.norm(x)

    def prefill(self, x: Tensor, store: Store, base: int) -> None:
        """Read a prompt [tokens, hidden] into a run of the store, from its beginning on."""
        for start in range(0, len(x), CHUNK):
            self._prefill(x[start : start + CHUNK], store, base, start)

    def _prefill(self, x: Tensor, store: Store, base: int, start: int) -> None:
        end = start + len(x)
        cos, sin = self.cos[start:end, None], self.sin[start:end, None]
        mask = causal_lower_right(len(x), end) if start else None
        for layer, stored in zip(self.layers, store.layers, strict=True):
            query, key, value = self._project(layer, x, cos, sin)
            keys, values = (part[:, :, base : base + end] for part in stored)
            keys[0, :, start:], values[0, :, start:] = key.transpose(0, 1), value.transpose(0, 1)
            out = F.scaled_dot_product_attention(
                query.transpose(0, 1)[None],
                keys,
                values,
                attn_mask=mask,
                is_causal=mask is None,
                enable_gqa=True,
            )
            x = layer.finish(x, out[0].transpose(0, 1).flatten(1))

    def _project(self, layer: "_Layer", x: Tensor, cos: Tensor, sin: Tensor) -> Sequence[Tensor]:
        """Queries, keys, values [rows, heads, width], the first two turned to their positions."""
        joint = torch.addmm(layer.qkv_bias, layer.norm(x), layer.qkv).view(len(x), -1, self.width)
        turned, value = joint.split((self.heads + self.kv_heads, self.kv_heads), 1)
        swapped = turned.roll(self.width // 2, 2)
        turned = torch.addcmul(turned * cos, swapped, sin)
        query, key = turned.split((self.heads, self.kv_heads), 1)
        return query, key, value


class _Layer:
    def __init__(self, module: Any) -> None:
        attention = module.self_attn
        inputs = [attention.q_proj, attention.k_proj, attention.v_proj]
        self.qkv, self.qkv_bias = joined(inputs).t(), torch.cat([one.bias.detach() for one in inputs])
        self.out = attention.o_proj.weight.detach().t()
        first, second = module.input_layernorm, module.post_attention_layernorm
        self.norm = Norm(first.weight.detach(), first.variance_epsilon)
        self.mlp_norm = Norm(second.weight.detach(), second.variance_epsilon)
        self.gate_up = joined([module.mlp.gate_proj, module.mlp.up_proj]).t()
        self.down = module.mlp.down_proj.weight.detach().t()

    def finish(self, x: Tensor, attended: Tensor) -> Tensor:
        """[rows, hidden] of the layer's input and of what its attention found [rows, heads * width]."""
        x = torch.addmm(x, attended, self.out)
        gate, up = torch.mm(self.mlp_norm(x), self.gate_up).chunk(2, -1)
        return torch.addmm(x, F.silu(gate).mul_(up), self.down)

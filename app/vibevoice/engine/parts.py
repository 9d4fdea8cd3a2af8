"""A checkpoint's parts, each in the form that the frame step wants."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from . import codec
from .checkpoint import Checkpoint
from .diffusion import Head
from .language import LanguageModel
from .layers import Connector
from .run import SPARE_TOKENS
from .solver import Schedule

# A voice is encoded in pieces of this many frames: what lies between its layers is large.
VOICE_PIECE = 8


@dataclass(frozen=True)
class Marks:
    """The four tokens that may follow a frame, by their place in the small output head."""

    ids: tuple[int, ...]
    speak: int
    begin: int
    end: int
    stop: int


class Parts:
    """Language model, diffusion head, codecs and connectors of one checkpoint."""

    def __init__(self, checkpoint: Checkpoint, schedule: Schedule) -> None:
        """Takes the weights over: `checkpoint.model` is empty afterwards.

        What is not needed in its old form (half of the codecs, the vocabulary's output head) is freed at
        once, and the memory for streams is reckoned without it.
        """
        whole, model = checkpoint.model, checkpoint.model.model
        config = whole.config
        self.context: int = config.text_config.max_position_embeddings
        self.hop: int = config.audio_config.hop_length
        self.latent_size: int = config.audio_config.hidden_size
        self.feature_size: int = config.semantic_model_config.hidden_size
        self.vae_std: float = config.audio_config.vae_std
        self.dtype, self.device = checkpoint.dtype, checkpoint.device
        self.schedule = schedule
        self.language = LanguageModel(model.language_model, self.context + SPARE_TOKENS)
        self.head = Head(model.diffusion_head, schedule)
        self.decoder = codec.decoder(model.audio_tower.decoder)
        self.listener = codec.encoder(model.semantic_tokenizer_encoder, self.hop)
        self.voice_encoder = codec.encoder(model.audio_tower.encoder, self.hop)
        self.codec_size = self.decoder.state_size + self.listener.state_size
        self.acoustic = Connector(model.multi_modal_projector)
        self.semantic = Connector(model.semantic_connector)
        self.scale = model.latent_scaling_factor.detach()
        self.bias = model.latent_bias_factor.detach()
        # In the vocabulary's order: of two equal scores the reference takes the first.
        ids = sorted(
            {config.audio_token_id, config.audio_bos_token_id, config.audio_eos_token_id, config.eos_token_id}
        )
        self.marks = Marks(
            tuple(ids),
            speak=ids.index(config.audio_token_id),
            begin=ids.index(config.audio_bos_token_id),
            end=ids.index(config.audio_eos_token_id),
            stop=ids.index(config.eos_token_id),
        )
        self.mark_scores = whole.lm_head.weight.detach()[ids].t()
        self.mark_embeds = self.language.embed[ids].clone()
        self.pad_id: int = config.audio_token_id
        for parameter in whole.parameters():
            parameter.data = torch.empty(0)

    def embed(self, ids: Sequence[int]) -> Tensor:
        """[tokens, hidden]"""
        return self.language.embed[torch.tensor(ids, device=self.device)]

    def decode(self, latents: Tensor, state: Tensor) -> Tensor:
        """Samples [batch, frames * hop, 1] of latents [batch, frames, latent]."""
        return self.decoder(latents / self.scale - self.bias, state)

    def codec_states(self, rows: Tensor) -> Sequence[Tensor]:
        """The decoder's and the listener's share of slots' codec state [slots, codec_size]."""
        return rows.split((self.decoder.state_size, self.listener.state_size), -1)

    def join(self, latents: Tensor, features: Tensor) -> Tensor:
        """What the language model reads of spoken frames: [frames, hidden] of their latents and features."""
        return self.acoustic(latents) + self.semantic(features)

    def encode_voice(self, samples: Tensor) -> Tensor:
        """Latents [frames, latent] of a voice: its samples, as the feature extractor left them."""
        state = samples.new_zeros(1, self.voice_encoder.state_size)
        pieces = samples.view(1, -1, 1).split(VOICE_PIECE * self.hop, 1)
        return torch.cat([self.voice_encoder(piece, state) for piece in pieces], 1)[0]

    def read_voice(self, latents: Tensor, shaken: tuple[Tensor, Tensor]) -> Tensor:
        """What the language model reads of a voice [frames, hidden]; `shaken` is the voice's noise."""
        strength, direction = (one.to(self.device, self.dtype) for one in shaken)
        latents = latents + self.vae_std * strength * direction
        return self.acoustic((latents + self.bias) * self.scale)

    def rebuild(self, latents: Tensor, codec_state: Tensor) -> None:
        """Bring a slot's codec state [1, size] to where it stands behind past latents [frames, latent].

        Both codecs look back for a bounded time only, so old frames need not be decoded again.
        """
        heard, seen = self.listener.reach(self.hop), self.decoder.reach(1)
        tail = latents[-(heard + seen) :]
        decoder_state, listener_state = self.codec_states(codec_state.zero_())
        for piece, audible in _pieces(tail, heard):
            samples = self.decode(piece[None], decoder_state)
            if audible:
                self.listener(samples[:, -audible * self.hop :], listener_state)

    def scores(self, hidden: Tensor) -> Tensor:
        """Of the four marks [n, 4] by the last hidden states [n, hidden], in float32 as the reference."""
        return torch.mm(hidden, self.mark_scores).float()


def _pieces(frames: Tensor, wanted: int) -> Iterator[tuple[Tensor, int]]:
    """Frames in pieces, and how many at the end of each are among the last `wanted`."""
    left = len(frames)
    for piece in frames.split(VOICE_PIECE):
        # All of a short past is heard, or what came before it would be missing.
        yield piece, min(len(piece), max(0, wanted - (left - len(piece))))
        left -= len(piece)

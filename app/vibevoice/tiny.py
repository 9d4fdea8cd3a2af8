"""Make a tiny checkpoint of the real architecture: `python -m vibevoice.tiny FOLDER`.

Every class, file and tensor name is the real one's; only the sizes are small and the weights random, so that
a whole site can be tried on one CPU core. What it says is noise. How long it speaks is not: one attention
head counts text against speech and ends the generation, as a trained model would (see `_teach_to_end`).
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import nn
from transformers import (
    GenerationConfig,
    Qwen2Config,
    Qwen2Tokenizer,
    VibeVoiceAcousticTokenizerConfig,
    VibeVoiceAcousticTokenizerEncoderConfig,
    VibeVoiceAcousticTokenizerFeatureExtractor,
    VibeVoiceConfig,
    VibeVoiceDiffusionHeadConfig,
    VibeVoiceForConditionalGeneration,
    VibeVoiceProcessor,
)

SEED = 20250826
END, AUDIO_BOS, AUDIO_EOS, AUDIO = "<|endoftext|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>"
# As in the real vocabulary, the special tokens come last, in this order.
SPECIAL = [END, "<|im_start|>", "<|im_end|>", AUDIO_BOS, AUDIO_EOS, AUDIO]
SCAFFOLD = (
    " Transform the text provided by various speakers into speech output, utilizing the distinct voice of"
    " each respective speaker.\n Voice input:\n Text input:\n Speaker 0: Speaker 1: Speaker 2: Speaker 3:"
    " Speech output:\n"
)
# Learned from so little text, the vocabulary cuts ordinary words into pieces of two or three letters.
PROSE = """Good morning and welcome to the show. Today we talk about how machines learn to speak, what a
voice is made of, and why a pause says more than a word. Thank you for having me; it is a pleasure to be here.
Let us start with the question that everybody asks: does it understand what it says? Not as you do."""

HIDDEN = 64
HEAD = 16
# Channels of the residual stream that `_teach_to_end` keeps free of noise.
CONSTANT, COUNTED, ENDED, BALANCE = range(4)
RESERVED = slice(0, 4)

CHAT_TEMPLATE = """\
{{- " Transform the text provided by various speakers into speech output, utilizing the distinct voice of \
each respective speaker.\\n" -}}
{%- set ns = namespace(voices="") -%}
{%- for message in messages -%}
    {%- set clips = message['content'] | selectattr('type', 'equalto', 'audio') | list -%}
    {%- if clips and message['role'] not in ns.voices -%}
        {%- set ns.voices = ns.voices + message['role'] + "," -%}
    {%- endif -%}
{%- endfor -%}
{%- if ns.voices -%}
    {{- " Voice input:\\n" -}}
    {%- for speaker in ns.voices.rstrip(',').split(',') -%}
        {{- " Speaker " + speaker + ":<|vision_start|><|vision_pad|><|vision_end|>\\n" -}}
    {%- endfor -%}
{%- endif -%}
{{- " Text input:\\n" -}}
{%- for message in messages -%}
    {%- for item in message['content'] | selectattr('type', 'equalto', 'text') -%}
        {{- " Speaker " + message['role'] + ": " + item['text'] + "\\n" -}}
    {%- endfor -%}
{%- endfor -%}
{{- " Speech output:\\n<|vision_start|>" -}}
"""


def build(folder: Path) -> None:
    """Write the checkpoint (weights, configuration, processor, tokenizer) into `folder`; always the same."""
    torch.manual_seed(SEED)
    processor = make_processor()
    model = VibeVoiceForConditionalGeneration(narrow_config(processor.tokenizer)).eval()
    randomise(model)
    _teach_to_end(model, processor.tokenizer)
    model.generation_config = generation_config(model.config)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    for file in folder.iterdir():
        # safetensors writes for its own user alone; a studio reads as another one.
        file.chmod(0o644)


def make_processor(special: Sequence[str] = SPECIAL, words: int = 0) -> VibeVoiceProcessor:
    """A real processor with a vocabulary of its own: at least `words` words, then the `special` tokens."""
    return VibeVoiceProcessor(
        feature_extractor=VibeVoiceAcousticTokenizerFeatureExtractor(),
        tokenizer=_tokenizer(special, words),
        chat_template=CHAT_TEMPLATE,
    )


def _tokenizer(special: Sequence[str], words: int) -> Qwen2Tokenizer:
    """A byte-level BPE like Qwen2's, learned from a few lines."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=620,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    # The scaffold is repeated so that its words become single tokens, apart from those of a script.
    tokenizer.train_from_iterator([SCAFFOLD] * 20 + [PROSE], trainer)
    if missing := range(tokenizer.get_vocab_size(), words):
        learned = json.loads(tokenizer.to_str())["model"]
        vocabulary = learned["vocab"] | {f"<unused {number}>": number for number in missing}
        tokenizer.model = models.BPE(vocabulary, [tuple(merge) for merge in learned["merges"]])
    fast = Qwen2Tokenizer(tokenizer_object=tokenizer, eos_token=END, pad_token=END, unk_token=END)
    fast.add_special_tokens({"additional_special_tokens": list(special[1:])})
    return fast


def narrow_config(
    tokenizer: Qwen2Tokenizer,
    layers: int = 2,
    depths: Sequence[int] = (1, 1, 1, 1, 1, 1, 2),
    head_layers: int = 2,
) -> VibeVoiceConfig:
    """The 1.5B's configuration with everything narrow: 64 channels, tokenizers of 4 filters.

    Args:
        tokenizer: gives the vocabulary's size and its special tokens.
        layers, depths, head_layers: of the language model, of each stage of the tokenizers, and of the
            diffusion head. The real ones have 28, (3, 3, 3, 3, 3, 3, 8) and 4.
    """
    codec: dict[str, Any] = {"num_filters": 4, "depths": list(depths)}
    ids: dict[str, Any] = {name: tokenizer.convert_tokens_to_ids(token) for name, token in _roles().items()}
    return VibeVoiceConfig(
        audio_config=VibeVoiceAcousticTokenizerConfig(hidden_size=16, **codec),
        semantic_model_config=VibeVoiceAcousticTokenizerEncoderConfig(hidden_size=16, **codec),
        diffusion_head_config=VibeVoiceDiffusionHeadConfig(
            hidden_size=HIDDEN, latent_size=16, num_hidden_layers=head_layers, intermediate_size=3 * HIDDEN
        ),
        text_config=Qwen2Config(
            vocab_size=len(tokenizer),
            hidden_size=HIDDEN,
            intermediate_size=2 * HIDDEN,
            num_hidden_layers=layers,
            num_attention_heads=HIDDEN // HEAD,
            num_key_value_heads=2,
            max_position_embeddings=65536,
            tie_word_embeddings=False,
        ),
        **ids,
    )


def _roles() -> dict[str, str]:
    return {
        "pad_token_id": END,
        "eos_token_id": END,
        "audio_bos_token_id": AUDIO_BOS,
        "audio_eos_token_id": AUDIO_EOS,
        "audio_token_id": AUDIO,
    }


def generation_config(config: VibeVoiceConfig, frames: int = 40500) -> GenerationConfig:
    """What the released checkpoints carry; `frames` is 40,500 for the 1.5B, half of that for the 7B."""
    return GenerationConfig(
        max_new_tokens=frames,
        do_sample=False,
        guidance_scale=1.3,
        num_diffusion_steps=10,
        noise_scheduler_class="DPMSolverMultistepScheduler",
        noise_scheduler_config={"beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction"},
        eos_token_id=config.eos_token_id,
        pad_token_id=config.pad_token_id,
    )


@torch.no_grad()
def randomise(model: VibeVoiceForConditionalGeneration) -> None:
    """Weights that keep a signal's size from layer to layer: the usual tiny initial values give silence."""
    for module in model.modules():
        if isinstance(module, nn.Conv1d | nn.ConvTranspose1d | nn.Linear):
            # A transposed convolution adds up kernel/stride = 2 taps for each input channel.
            transposed = isinstance(module, nn.ConvTranspose1d)
            fan_in = 2 * module.in_channels if transposed else module.weight[0].numel()
            module.weight.normal_(0, fan_in**-0.5)
            if module.bias is not None:
                module.bias.zero_()
        elif isinstance(module, nn.Embedding):
            module.weight.normal_(0, 1)
    # Quiet enough not to clip.
    decoder_head = model.model.audio_tower.decoder.head
    decoder_head.conv.weight.mul_(0.1)


@torch.no_grad()
def _teach_to_end(model: VibeVoiceForConditionalGeneration, tokenizer: Qwen2Tokenizer) -> None:
    """Let the model speak about one frame for each token of the script, then end.

    COUNTED is +1 on the script's tokens, -1 on each spoken frame, 0 on the prompt's fixed words. The first
    head of the first layer attends to all positions alike (its keys are zero), so it writes their mean into
    BALANCE: positive while there is text left. The output head asks for another frame while it is, for the
    end of audio when it is not, and for the end of text after that (ENDED marks the end-of-audio token).
    """
    inner, attention = model.model, model.model.language_model.layers[0].self_attn
    for layer in inner.language_model.layers:
        layer.self_attn.o_proj.weight[RESERVED] = 0
        layer.mlp.down_proj.weight[RESERVED] = 0

    # With 4 query and 2 key heads, heads 0 and 1 share the first key head.
    attention.k_proj.weight[:HEAD] = 0
    attention.v_proj.weight[:HEAD] = 0
    attention.v_proj.weight[0, COUNTED] = 1
    attention.o_proj.weight[BALANCE, 0] = 1

    embed = inner.language_model.embed_tokens.weight
    embed[:, RESERVED] = 0
    embed[:, CONSTANT] = 1
    embed[:, COUNTED] = 1
    quiet = set(tokenizer(SCAFFOLD)["input_ids"]) | set(tokenizer.all_special_ids)
    embed[sorted(quiet), COUNTED] = 0
    embed[model.config.audio_eos_token_id, ENDED] = 1

    # A frame is the sum of both connectors; a voice clip in the prompt passes only the acoustic one.
    for connector in (inner.multi_modal_projector, inner.semantic_connector):
        connector.linear_2.weight.mul_(0.5**0.5)
        connector.linear_2.weight[RESERVED] = 0
    inner.multi_modal_projector.linear_2.bias[CONSTANT] = 1
    inner.semantic_connector.linear_2.bias[COUNTED] = -1

    head, config = model.lm_head.weight, model.config
    head.zero_()
    head[config.audio_token_id, BALANCE] = 1000
    head[config.audio_eos_token_id, BALANCE] = -1000
    head[config.audio_bos_token_id, CONSTANT] = -1
    head[config.eos_token_id, CONSTANT] = -1
    head[config.eos_token_id, ENDED] = 10000


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m vibevoice.tiny", description="Make a tiny checkpoint.")
    parser.add_argument("folder", type=Path, help="where the checkpoint goes")
    folder = parser.parse_args().folder
    build(folder)
    size = sum(file.stat().st_size for file in folder.iterdir())
    print(f"{folder}: {size / 1e6:.1f} MB", file=sys.stderr)


if __name__ == "__main__":
    main()

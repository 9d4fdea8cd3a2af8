"""What can be said against a request without the model: at once, in one line, before it waits in a queue."""

import math
from dataclasses import replace

from .. import voices
from ..script import MAX_SPEAKERS
from .generation import Generation, Refused

MAX_GUIDANCE = 10.0
MAX_SEED = 2**64


def checked(generation: Generation) -> Generation:
    """The generation as an engine takes it. Raises Refused (a voice's fault is a VoiceError)."""
    if not generation.turns:
        raise Refused("There is nothing to speak: the script has no turns.", "input")
    speakers = 1 + max(turn.speaker for turn in generation.turns)
    if speakers > MAX_SPEAKERS or min(turn.speaker for turn in generation.turns) < 0:
        raise Refused(f"The script has {speakers} speakers; the model knows {MAX_SPEAKERS}.", "input")
    if (count := len(generation.voices)) > MAX_SPEAKERS:
        raise Refused(f"There are {count} voices for at most {MAX_SPEAKERS} speakers.", "voice")
    guidance, seed, cap = generation.guidance, generation.seed, generation.cap
    if guidance is not None and not (math.isfinite(guidance) and 0 < guidance <= MAX_GUIDANCE):
        raise Refused(f"guidance is {guidance}: choose a number above 0, up to {MAX_GUIDANCE:g}.", "guidance")
    if seed is not None and not 0 <= seed < MAX_SEED:
        raise Refused(f"seed is {seed}: choose a whole number from 0 to 2**64 - 1.", "seed")
    if cap is not None and cap < 1:
        raise Refused(f"cap is {cap} frames: a stream has at least one.", "cap")
    clips = (clip if clip is None else voices.check(clip, voices.SAMPLE_RATE) for clip in generation.voices)
    return replace(generation, voices=tuple(clips))

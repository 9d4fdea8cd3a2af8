"""What a generation will take: its parts, its memory, and whether it can be spoken here at all."""

import secrets

from .generation import Generation, Prefix, Refused, Saved, TooLong
from .memory import PAGE, pages_for
from .prompt import Prompter
from .run import LABEL_TOKENS, SPARE_TOKENS, Part, Run, plan


class Planner:
    """Makes runs of generations, for one engine."""

    def __init__(
        self, prompter: Prompter, *, weights: str, frame_bytes: int, steps: int, guidance: float, pages: int
    ) -> None:
        """
        Args:
            weights: fingerprint of the checkpoint: frames of another one cannot be continued.
            frame_bytes: of a frame's state.
            steps: denoising steps, for every stream the same.
            guidance: where a generation asks for none.
            pages: of the store, in all.
        """
        self.prompter, self.context = prompter, prompter.parts.context
        self.weights, self.frame_bytes = weights, frame_bytes
        self.steps, self.guidance, self.pages = steps, guidance, pages

    def run(self, generation: Generation) -> Run:
        """Cut a generation into parts and reckon its memory.

        Raises TooLong for a script, Refused for anything else that will never fit this engine.
        """
        if not generation.turns:
            raise Refused("There is nothing to say: the script has no turns.")
        if generation.steps not in (None, self.steps):
            raise Refused(
                f"This engine takes {self.steps} denoising steps for every stream, not {generation.steps}: "
                "leave steps out, or set VV_STEPS.",
                param="steps",
            )
        prefix = self._part_of(generation.prefix) if generation.prefix else None
        prior = self._checked(generation.prefix.saved, "prefix").count if generation.prefix else 0
        scaffold = self._scaffold(generation)
        taken = scaffold + (prefix.tokens + LABEL_TOKENS * len(prefix.turns) if prefix else 0) + prior
        if self.context - taken < self.context // 4:
            raise TooLong(
                f"Voices and prefix take {taken} tokens of the model's context of {self.context}: too "
                "little is left for the script. Use shorter ones."
            )
        tokens = self.prompter.text_tokens(generation.turns)
        run = Run(
            generation,
            seed=secrets.randbits(32) if generation.seed is None else generation.seed,
            guidance=self.guidance if generation.guidance is None else generation.guidance,
            parts=plan(generation.turns, tokens, self.context - taken),
            frame_bytes=self.frame_bytes,
            prior=prior,
        )
        frames = prior + sum(part.cap for part in run.parts)
        if generation.prefix and prefix:
            run.parts, run.ends = (prefix, *run.parts), [prior]
            run.states += generation.prefix.saved.frames
        if resume := generation.resume:
            self._checked(resume, "resume")
            run.states += resume.frames
            run.ends += [prior + end for end in resume.parts]
            if generation.seed is None:
                run.seed = resume.seed
        if len(run.ends) > len(run.parts):
            raise Refused("The resumed stream is of another script: it has more parts.", param="resume")
        return self._sized(run, scaffold, frames)

    def _part_of(self, prefix: Prefix) -> Part:
        return Part(prefix.turns, sum(self.prompter.text_tokens(prefix.turns)))

    def _scaffold(self, generation: Generation) -> int:
        """Tokens of a prompt besides the turns: the fixed words and the voices."""
        earlier = generation.prefix.turns if generation.prefix else ()
        first = {turn.speaker: turn for turn in reversed((*earlier, *generation.turns))}
        turns = [first[speaker] for speaker in sorted(first)]
        return len(self.prompter.ids(turns, generation.voices)) - sum(self.prompter.text_tokens(turns))

    def _sized(self, run: Run, scaffold: int, frames: int) -> Run:
        """Reckon what the run may need of the store, and refuse what the store cannot ever hold."""
        text = scaffold + sum(part.tokens + LABEL_TOKENS * len(part.turns) for part in run.parts)
        tokens = [min(self.context, length) + SPARE_TOKENS for length in (text + frames, frames)]
        run.pages = (pages_for(tokens[0]), pages_for(tokens[1]))
        if sum(run.pages) > self.pages:
            raise TooLong(
                f"The script needs memory for {sum(run.pages) * PAGE} tokens, and the engine has "
                f"{self.pages * PAGE} in all. Shorten it, or give VV_KV_MEMORY more."
            )
        return run

    def _checked(self, saved: Saved, name: str) -> Saved:
        if saved.weights != self.weights or saved.frame_bytes != self.frame_bytes:
            raise Refused(
                f"The {name} was spoken by another model than this engine's and cannot be continued.",
                param=name,
            )
        return saved

"""The frame step: every slot's stream by 1/7.5 s, in one pass without a question to the device."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .memory import Extent, Store
from .parts import Parts


class Slots:
    """All that changes from frame to frame, for each slot a row, and the step that changes it.

    A slot without a stream does what the others do, on the store's first page, and nobody looks.
    """

    def __init__(self, parts: Parts, store: Store, count: int) -> None:
        self.parts, self.store = parts, store
        device, dtype = parts.device, parts.dtype
        hidden = parts.language.embed.shape[1]

        def zeros(*shape: int, of: torch.dtype = dtype) -> Tensor:
            return torch.zeros(shape, dtype=of, device=device)

        self.x = zeros(count, hidden)
        # First rows with the text, then rows without it.
        self.base, self.length = zeros(2, count, of=torch.long), zeros(2, count, of=torch.long)
        self.live = zeros(count, of=torch.long)
        self.guidance = zeros(count, 1, of=parts.head.wide)
        self.codec = zeros(count, parts.codec_size)
        self.noise = zeros(count, parts.schedule.draws, parts.latent_size, of=torch.float32)
        # What a step leaves behind.
        self.samples = zeros(count, parts.hop)
        self.state = zeros(count, parts.latent_size + parts.feature_size)
        self.mark = zeros(count, of=torch.long)

    def advance(self, n: int, longest: int) -> None:
        """One frame for the first `n` slots, none of which will be longer than `longest` tokens.

        Leaves samples [n, 3200], state [n, latent + features] and mark [n] (a place in Marks) of the frame.
        Where the mark is not `speak` there is no frame, and what the codecs remember of the speech is wiped:
        the original does so at the end of speech, transformers does not, and a new beginning would start in
        the middle of an old sound.
        """
        parts, marks = self.parts, self.parts.marks
        length = self.length[:, :n]
        hidden = parts.language.step(
            self.x[:n].repeat(2, 1), self.store, self.base[:, :n].flatten(), length.flatten(), longest
        )
        mark = parts.scores(hidden[:n]).argmax(-1)
        latent = parts.head(hidden, self.noise[:n], self.guidance[:n])
        decoder_state, listener_state = parts.codec_states(self.codec[:n])
        samples = parts.decode(latent[:, None], decoder_state)
        features = parts.listener(samples, listener_state)[:, 0]
        speaks = mark == marks.speak
        joined = parts.join(latent, features)
        self.x[:n] = torch.where(speaks[:, None], joined, F.embedding(mark, parts.mark_embeds))
        self.codec[:n].masked_fill_(~speaks[:, None], 0)
        # The branch without text hears frames only: what a step without one wrote there is overwritten. A new
        # beginning is its first token again.
        length[1].add_(speaks).masked_fill_(mark == marks.begin, 0)
        length[0].add_(1)
        length.mul_(self.live[:n])
        self.samples[:n] = samples[..., 0]
        self.state[:n] = torch.cat((latent, features), -1)
        self.mark[:n] = mark

    def enter(self, slot: int, x: Tensor, lengths: tuple[int, int], extents: tuple[Extent, Extent]) -> None:
        """Give a slot to a stream whose next input is `x` [hidden], behind `lengths` tokens with and without
        text in `extents`. Guidance and codec state are the caller's to set."""
        self.x[slot] = x
        for row in range(2):
            self.base[row, slot], self.length[row, slot] = extents[row].base, lengths[row]
        self.live[slot] = 1

    def leave(self, slot: int) -> None:
        """Take a slot's stream away."""
        self.base[:, slot] = 0
        self.length[:, slot] = 0
        self.live[slot] = 0
        self.codec[slot] = 0

    def move(self, source: int, target: int) -> None:
        """Let a stream go on in another slot."""
        for rows in (self.x, self.live, self.guidance, self.codec, self.noise):
            rows[target] = rows[source]
        for rows in (self.base, self.length):
            rows[:, target] = rows[:, source]
        self.leave(source)

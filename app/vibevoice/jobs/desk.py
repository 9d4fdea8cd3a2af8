"""Where scripts are handed in: what the API and the page both ask for, without a word of HTTP."""

import dataclasses
import hashlib
import json
import math
import re
import secrets
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..audio import FORMATS
from ..door import Allowance
from ..engine import Refused
from ..engine.checks import MAX_GUIDANCE
from ..script import Script, ScriptError, Turn, parse
from ..settings import Settings
from . import segmenting
from .errors import NoSuchVoice
from .model import Job, Kind, NewJob
from .store import Store

LONGEST_TITLE = 200
LONGEST_KEY = 200
MOST_AT_ONCE = 100
"""Scripts in one batch."""
MAX_STEPS = 1000
MAX_SEED = 2**63
"""The store's integers end there."""
AUTOMATIC = "default"
PRESETS = (
    *("alloy", "ash", "ballad", "cedar", "coral", "echo", "fable"),
    *("marin", "nova", "onyx", "sage", "shimmer", "verse"),
)
"""OpenAI's voices, which programs name because they must name one: the model chooses."""
# Of a pair of surrogates: broken JSON has such, the parser drops it, no file takes it.
_HALF = re.compile("[\ud800-\udfff]")
_TITLE_WORDS = 60
_DISCLAIMER_PAUSE_MS = 500


@dataclass(frozen=True)
class Visitor:
    """Who asks."""

    user: str
    """Empty where there is no door."""
    sees_all: bool
    allowance: Allowance | None

    @property
    def viewer(self) -> str | None:
        """As the store asks: whose things they may see; None: everybody's."""
        return None if self.sees_all else self.user


@dataclass(frozen=True)
class Order:
    """A script as somebody hands it in."""

    script: str
    title: str = ""
    """Empty: the first words."""
    voices: Mapping[str, str] | Sequence[str | None] = ()
    """Ids or names of the library, by the speakers' labels or in order of appearance; none: the model's
    own choice."""
    seed: int | None = None
    """None: drawn here."""
    guidance: float | None = None
    steps: int | None = None
    one_take: bool = False
    format: str = "mp3"
    kind: Kind = "job"


@dataclass(frozen=True)
class Look:
    """What a script will be."""

    speakers: tuple[str, ...]
    seconds: float
    segments: int


class Desk:
    """Checks what is handed in and puts it into the store. For any thread; waits for the disk."""

    def __init__(self, settings: Settings, store: Store, poke: Callable[[], None]) -> None:
        """`poke` tells the runner to look now. Raises ScriptError if the disclaimer cannot be spoken."""
        self._settings, self._store, self.poke = settings, store, poke
        self._disclaimer = _disclaimer(settings.disclaimer)

    def look(self, script: str) -> Look:
        """What a script will be, for whoever still writes it. Raises ScriptError."""
        turns, speakers = self._read(script)
        cuts = segmenting.segments(turns)
        return Look(speakers, sum(seconds for _, _, seconds in cuts), len(cuts))

    def submit(self, orders: Sequence[Order], visitor: Visitor, key: str | None = None) -> list[Job]:
        """Jobs for all of the orders, or for none; once for each `key` (Idempotency-Key).

        Raises ScriptError, Refused, NoSuchVoice, TooManyWaiting, KeyReused, StoreError.
        """
        if not orders:
            raise Refused("There is no script: hand in at least one.", "batch")
        if len(orders) > MOST_AT_ONCE:
            raise Refused(
                f"There are {len(orders)} scripts; hand in at most {MOST_AT_ONCE} at once.", "batch"
            )
        if key is not None and not _is_key(key):
            raise Refused(
                f"The idempotency key must have 1 to {LONGEST_KEY} printable ASCII characters.",
                "Idempotency-Key",
            )
        new = [self._new(order, visitor, n, len(orders)) for n, order in enumerate(orders, 1)]
        settings = self._settings
        speech = new[0].kind == "speech"
        jobs = self._store.submit(
            new,
            visitor.user,
            most_waiting=settings.max_waiting if speech else settings.jobs_waiting,
            key=key,
            fingerprint=_fingerprint(orders),
        )
        self.poke()
        return jobs

    def _new(self, order: Order, visitor: Visitor, n: int, count: int) -> NewJob:
        """The order checked and cut, the `n`-th of `count`."""
        try:
            return self._checked(order, visitor)
        except ScriptError as error:
            raise ScriptError(_which(error.reason, n, count), error.line, error.column) from error
        except Refused as error:
            raise Refused(_which(str(error), n, count), error.param) from error
        except NoSuchVoice as error:
            raise NoSuchVoice(_which(str(error), n, count)) from error

    def _checked(self, order: Order, visitor: Visitor) -> NewJob:
        _check(order, self._settings)
        turns, speakers = self._read(order.script)
        cuts = segmenting.segments(turns, order.one_take)
        minutes, most = sum(seconds for _, _, seconds in cuts) / 60, self._settings.job_minutes
        if minutes > most:
            raise ScriptError(
                f"The script is about {minutes:,.0f} minutes of speech, and a job may have {most:,g}. "
                "Split it into several."
            )
        return NewJob(
            script=_HALF.sub("\ufffd", order.script),
            turns=turns,
            speakers=speakers,
            segments=cuts,
            seed=secrets.randbits(32) if order.seed is None else order.seed,
            voices=self._voices(order.voices, speakers, visitor),
            title=order.title.strip() or _first_words(turns[len(self._disclaimer) :]),
            kind=order.kind,
            guidance=order.guidance,
            steps=order.steps,
            one_take=order.one_take,
            format=order.format,
        )

    def _read(self, script: str) -> tuple[tuple[Turn, ...], tuple[str, ...]]:
        """Turns, the disclaimer first, and who speaks."""
        limit = self._settings.max_input_chars
        if len(script) > limit:
            raise ScriptError(f"The script has {len(script):,} characters; at most {limit:,} are taken.")
        read: Script = parse(script)
        return (*self._disclaimer, *read.turns), read.speakers

    def _voices(
        self, named: Mapping[str, str] | Sequence[str | None], speakers: Sequence[str], visitor: Visitor
    ) -> tuple[str | None, ...]:
        if isinstance(named, Mapping):
            by_speaker: list[str | None] = [None] * len(speakers)
            for label, voice in named.items():
                by_speaker[_speaker(label, speakers)] = voice
        else:
            by_speaker = list(named)
        if len(by_speaker) > len(speakers):
            raise Refused(
                f"There are {len(by_speaker)} voices, but only {len(speakers)} speak: {', '.join(speakers)}.",
                "voices",
            )
        by_speaker += [None] * (len(speakers) - len(by_speaker))
        return tuple(voice and self._voice(voice, visitor) for voice in by_speaker)

    def _voice(self, name: str, visitor: Visitor) -> str | None:
        """The id of a voice; None: the model's own choice."""
        try:
            return self._store.library.get(_HALF.sub("\ufffd", name), visitor.viewer).id
        except NoSuchVoice:
            if name == AUTOMATIC or name in PRESETS:
                return None
            raise NoSuchVoice(
                f"There is no voice '{_shown(name)}'; name one of the library, or '{AUTOMATIC}' for the "
                "model's own choice."
            ) from None


def check_text(text: str, longest: int, what: str, param: str) -> None:
    """For titles and names: raises Refused if a text is too long, or has characters that nobody sees."""
    if len(text) > longest:
        raise Refused(f"{what} has {len(text):,} characters; use at most {longest}.", param)
    if any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in text):
        raise Refused(f"{what} has control characters or line breaks; remove them.", param)


def _check(order: Order, settings: Settings) -> None:
    """Raises Refused for what can be told without the script."""
    check_text(order.title, LONGEST_TITLE, "The title", "title")
    if order.format not in FORMATS:
        raise Refused(
            f"There is no format '{_shown(order.format)}'; choose one of {', '.join(FORMATS)}.",
            "response_format",
        )
    seed, guidance, steps = order.seed, order.guidance, order.steps
    if seed is not None and not 0 <= seed < MAX_SEED:
        raise Refused(f"seed is {seed}: choose a whole number from 0 to 2**63 - 1.", "seed")
    if guidance is not None and not (math.isfinite(guidance) and 0 < guidance <= MAX_GUIDANCE):
        raise Refused(f"guidance is {guidance}: choose a number above 0, up to {MAX_GUIDANCE:g}.", "guidance")
    if steps is not None and not 1 <= steps <= MAX_STEPS:
        raise Refused(f"steps is {steps}: choose a whole number from 1 to {MAX_STEPS}.", "steps")
    if steps is not None and settings.steps not in (None, steps):
        raise Refused(
            f"steps is {steps}, but all streams of this studio take {settings.steps} together; leave it out.",
            "steps",
        )


def _speaker(label: str, speakers: Sequence[str]) -> int:
    """Whose label this is, upper and lower case alike if need be. Raises Refused."""
    for fold in (str, str.casefold):
        names = [fold(speaker) for speaker in speakers]
        if fold(label) in names:
            return names.index(fold(label))
    raise Refused(
        f"voices names '{_shown(label)}', who says nothing in the script; there are {', '.join(speakers)}.",
        "voices",
    )


def _disclaimer(text: str) -> tuple[Turn, ...]:
    """What is said before everything else, by whoever begins."""
    if not text:
        return ()
    *turns, last = (dataclasses.replace(turn, speaker=0) for turn in parse(text).turns)
    return (*turns, dataclasses.replace(last, pause_ms=max(last.pause_ms, _DISCLAIMER_PAUSE_MS)))


def _first_words(turns: Sequence[Turn]) -> str:
    """A title."""
    text = turns[0].text
    if len(text) <= _TITLE_WORDS:
        return text
    words, _, cut = text[:_TITLE_WORDS].rpartition(" ")
    # Chinese has no blanks to cut at.
    return (words if len(words) > len(cut) else text[:_TITLE_WORDS]) + " …"


def _fingerprint(orders: Sequence[Order]) -> str:
    """The same for the same orders."""
    told = [dataclasses.asdict(order) for order in orders]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _is_key(key: str) -> bool:
    return 0 < len(key) <= LONGEST_KEY and key.isascii() and key.isprintable()


def _which(message: str, n: int, count: int) -> str:
    return message if count == 1 else f"{message} (script {n} of {count})"


def _shown(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"

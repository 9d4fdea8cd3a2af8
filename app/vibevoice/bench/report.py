"""Figures as a table, and the targets that they are held against."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from .streams import FRAME_MS

GIB, MIB = 2**30, 2**20


@dataclass(frozen=True)
class Target:
    """A figure, and what it should at most (or least) be."""

    name: str
    value: float
    limit: float
    at_least: bool = False

    @property
    def met(self) -> bool:
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def report(self) -> dict[str, Any]:
        return {**vars(self), "met": self.met}


def targets(figures: dict[str, Any]) -> list[Target]:
    """Those that are set for this shape and device."""
    found: list[Target] = []
    streams = {one["streams"]: one for one in figures["streams"]}
    reference = figures["reference"]
    if reference:
        ratio = median(_each(streams[1]["rounds_ms"], reference["rounds_ms"]))
        operators = figures["operators"]["1"]["operators"] / reference["operators"]["operators"]
        if figures["shape"] == "standard" and not figures["cuda"]:
            found.append(Target("one stream, of transformers' time", ratio, 0.6))
        found.append(Target("operators a frame, of transformers'", operators, 0.5))
    if figures["shape"] == "standard" and not figures["cuda"] and 8 in streams:
        together = median(_each(streams[8]["rounds_ms"], streams[1]["rounds_ms"])) / 8
        found.append(Target("8 streams together, of 8 one by one", together, 1 / 3))
    if figures["shape"] == "1.5b" and figures["cuda"]:
        # Set for an H200; see docs/performance.md.
        found.append(Target("RTF of one stream", streams[1]["rtf"], 0.03))
        if 32 in streams:
            found.append(Target("x real time of 32 streams", streams[32]["realtime"], 400, at_least=True))
        found.append(Target("first audio, ms", median(figures["first_audio_ms"]["no voice"]), 150))
        minutes = {one["minute"]: one for one in figures["minutes"]}
        if {1, 90} <= minutes.keys():
            ratio = median(_each(minutes[90]["rounds_ms"], minutes[1]["rounds_ms"]))
            found.append(Target("minute 90, of minute 1", ratio, 1.4))
    return found


def table(figures: dict[str, Any]) -> Iterator[str]:
    """Lines for a terminal."""
    for key, value in figures["machine"].items():
        yield f"{key}: {value}"
    yield f"shape: {figures['shape']}, {figures['dtype']}, {figures['steps']} denoising steps"
    yield ""
    yield f"Milliseconds for a frame (133.3 ms of speech): median (least–most) of {figures['rounds']} rounds'"
    yield f"median frames, of {figures['frames']} each."
    yield f"{'':26}{'ms a frame':>24}{'RTF':>9}{'x real time':>13}{'operators':>11}{'launches':>10}"
    for one in filter(None, [figures["reference"]]):
        yield _row("transformers, 1 stream", one, one["operators"])
    for one in figures["streams"]:
        name = f"engine, {one['streams']} stream" + "s" * (one["streams"] > 1)
        yield _row(name, one, figures["operators"].get(str(one["streams"])))
    yield from _parts(figures["parts"])
    yield "\nFirst audio, ms: " + ", ".join(
        f"{name} {_spread(rounds)}" for name, rounds in figures["first_audio_ms"].items()
    )
    yield from _minutes(figures["minutes"])
    yield from _memory(figures["memory"])
    yield ""
    for target in targets(figures):
        word = "at least" if target.at_least else "at most"
        verdict = "met" if target.met else "MISSED"
        yield f"{target.name}: {target.value:.3g} (target: {word} {target.limit:.3g}) {verdict}"


def _row(name: str, one: dict[str, Any], counts: dict[str, Any] | None) -> str:
    line = f"{name:26}{_spread(one['rounds_ms']):>24}{one['rtf']:>9.3f}{one['realtime']:>13.1f}"
    if counts:
        line += f"{counts['operators']:>11,.0f}{counts['launches']:>10,.0f}"
    return line


def _parts(parts: dict[str, dict[str, float]]) -> Iterator[str]:
    yield "\nMilliseconds by part, for a frame of each stream:"
    names = next(iter(parts.values()))
    yield f"{'streams':>10}" + "".join(f"{name:>18}" for name in names)
    for count, taken in parts.items():
        yield f"{count:>10}" + "".join(f"{ms:>18.2f}" for ms in taken.values())


def _minutes(minutes: Sequence[dict[str, Any]]) -> Iterator[str]:
    if minutes:
        yield "\nA long stream, ms a frame:"
    for one in minutes:
        ratio = median(_each(one["rounds_ms"], minutes[0]["rounds_ms"]))
        yield (
            f"  minute {one['minute']:>3}, {one['tokens']:>6,} tokens of context: {_spread(one['rounds_ms'])}"
            f", {ratio:.2f} times minute {minutes[0]['minute']}"
        )


def _memory(memory: dict[str, float]) -> Iterator[str]:
    yield "\nMemory of a stream: " + ", ".join(
        [
            f"{memory['kv_bytes_per_minute'] / MIB:.1f} MiB of keys and values for a minute",
            f"{memory['kv_bytes_per_token'] / 1024:.1f} KiB for a token of the script",
            f"{memory['slot_bytes'] / MIB:.2f} MiB of state ({memory['codec_state_bytes'] / MIB:.2f} codec)",
            f"{memory['saved_bytes_per_frame']:.0f} B to save for a frame",
        ]
    )
    if "peak_bytes" in memory:
        yield f"Memory of the GPU: at most {memory['peak_bytes'] / GIB:.1f} GiB, with store and transformers"


def measured(rounds: list[float], streams: int) -> dict[str, Any]:
    """Milliseconds a frame, and what follows of it."""
    ms = median(rounds)
    return {
        "rounds_ms": rounds,
        "ms": ms,
        "rtf": ms / FRAME_MS,
        "realtime": streams * FRAME_MS / ms,
    }


def _each(ours: Sequence[float], others: Sequence[float]) -> list[float]:
    """Ratios of what was measured in the same round."""
    return [one / other for one, other in zip(ours, others, strict=True)]


def _spread(rounds: Sequence[float]) -> str:
    return f"{median(rounds):.2f} ({min(rounds):.2f}–{max(rounds):.2f})"

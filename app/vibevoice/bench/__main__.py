"""Measure the engine: python -m vibevoice.bench."""

import argparse
import json
import logging
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..engine.batch import Batch
from ..engine.generation import CheckpointError
from ..engine.memory import PAGE
from ..shapes import SHAPES, Source
from . import reference as transformers
from .machine import machine
from .parts import part_ms
from .reference import Reference
from .report import measured, table, targets
from .streams import Streams

log = logging.getLogger("vibevoice.bench")
# On a CPU, where a store takes no memory before it is written to.
LEAST_KV_BYTES = 2**30


def main() -> int:
    arguments = _arguments()
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    try:
        source = Source(arguments.model or arguments.shape, arguments.device)
        figures = measure(source, arguments)
    except (CheckpointError, ValueError) as error:  # the latter for a number of steps that there is not
        print(f"vibevoice.bench: {error}", file=sys.stderr)
        return 2
    print("\n".join(table(figures)))
    if arguments.json:
        figures["targets"] = [target.report() for target in targets(figures)]
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


def measure(source: Source, arguments: argparse.Namespace) -> dict[str, Any]:
    """All figures. What is compared is measured in turns, so that a busy moment meets both."""
    began = time.monotonic()
    cuda = source.device.type == "cuda"
    described = machine(shlex.join(["python", "-m", "vibevoice.bench", *sys.argv[1:]]), source.device)
    # One alone is what the others are compared with.
    counts = sorted({1, *(arguments.streams or ((2, 4, 8, 16, 32, 64) if cuda else (2, 4, 8)))})
    frames = arguments.frames or (60 if cuda else 30)
    warm, rounds = max(3, frames // 6), arguments.rounds
    beside = _reference(source, arguments)
    streams = Streams(_batch(source, arguments, max(counts)))
    minutes = [minute for minute in arguments.minutes if minute <= streams.longest_minute()]

    log.info("Frames of %s streams", ", ".join(map(str, counts)))
    taken: dict[int, list[float]] = {count: [] for count in counts}
    theirs: list[float] = []
    for _ in range(rounds):
        if beside:
            theirs.append(beside.frame_ms(frames, warm))
        for count in counts:
            taken[count].append(streams.frame_ms(count, frames, warm))

    log.info("Parts, operators, first audio")
    ends = sorted({1, counts[-1]})
    parts: dict[str, dict[str, float]] = {}
    for count in ends:
        with streams.running(count, 200):
            streams.batch.step()
            parts[str(count)] = part_ms(streams.batch, frames)
    operators = {str(count): asdict(streams.counts(count, 5, warm)) for count in ends}
    first_audio = streams.first_audio_ms(rounds)
    log.info("Minutes %s", ", ".join(map(str, minutes)))
    long = streams.minute_ms(minutes, min(rounds, 3), max(10, frames // 2), 2) if minutes else []
    return {
        "machine": described,
        "shape": source.name,
        "cuda": cuda,
        "dtype": str(source.dtype).removeprefix("torch."),
        "steps": streams.batch.steps,
        "rounds": rounds,
        "frames": frames,
        "reference": beside and {**measured(theirs, 1), "operators": asdict(beside.counts(3, warm))},
        "streams": [{"streams": count, **measured(taken[count], count)} for count in counts],
        "parts": parts,
        "operators": operators,
        "first_audio_ms": first_audio,
        "minutes": [asdict(one) for one in long],
        "memory": streams.memory(),
        "seconds": time.monotonic() - began,
    }


def _reference(source: Source, arguments: argparse.Namespace) -> Reference | None:
    if arguments.no_reference:
        return None
    if not transformers.available():
        log.warning("%s is not installed: without transformers' own generation", transformers.NEEDED)
        return None
    log.info("Loading %s for transformers", source.name)
    made = source.checkpoint()
    return Reference(made, arguments.steps or made.defaults["num_diffusion_steps"])


def _batch(source: Source, arguments: argparse.Namespace, slots: int) -> Batch:
    log.info("Loading %s for the engine, %d slots", source.name, slots)
    made = source.checkpoint()
    text = made.model.config.text_config
    kv_bytes = None
    if made.device.type == "cpu":
        width = text.hidden_size // text.num_attention_heads
        token = 2 * text.num_hidden_layers * text.num_key_value_heads * width * made.dtype.itemsize
        # The longest stream's two branches.
        kv_bytes = max(LEAST_KV_BYTES, 2 * (text.max_position_embeddings + 2 * PAGE) * token)
    return Batch(made, slots=slots, kv_bytes=kv_bytes, steps=arguments.steps)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m vibevoice.bench", description="Measure the engine.")
    what = parser.add_mutually_exclusive_group()
    shapes = ", ".join(f"{shape.name} ({shape.says})" for shape in SHAPES.values())
    what.add_argument("--shape", choices=SHAPES, default="standard", help=f"random weights: {shapes}")
    what.add_argument("--model", type=Path, help="a checkpoint's folder")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--streams", type=_numbers, help="at once, such as 1,2,4,8")
    parser.add_argument("--frames", type=int, help="for each figure and round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, help="of the diffusion; the checkpoint's own (10)")
    parser.add_argument(
        "--minutes", type=_numbers, default=(1, 10, 45, 90), help="of a long stream; or 'none'"
    )
    parser.add_argument("--no-reference", action="store_true", help="without transformers' own generation")
    parser.add_argument("--json", type=Path, help="where all figures go")
    return parser.parse_args()


def _numbers(text: str) -> Sequence[int]:
    return tuple(sorted({int(number) for number in text.split(",")})) if text != "none" else ()


if __name__ == "__main__":
    sys.exit(main())

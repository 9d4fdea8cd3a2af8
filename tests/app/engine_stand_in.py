"""An engine process with a fault that a real one cannot be made to have: `engine_stand_in.py FAULT --fd N`.

It says the real messages, and speaks frames of silence. Started by tests in the engine's place.
"""

import argparse
import os
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from vibevoice.engine.generation import End, Frame
from vibevoice.engine.messages import Dying, Heartbeat, Ready, Started, Step, Submit, Trying

FRAMES = 3
READY = Ready(weights="none", device="none", sample_rate=24_000, slots=8, steps=1, kv_tokens=1000)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "fault", choices=["exits", "hangs", "loads for ever", "garbage", "poison", "says why", "gives up"]
    )
    parser.add_argument("--fd", type=int, required=True)
    options = parser.parse_args()
    engine = Connection(options.fd)
    if options.fault == "exits":
        sys.exit(7)
    if options.fault == "says why":
        engine.send(Dying("the device is on fire", hopeless=False))
        sys.exit(4)
    if options.fault == "loads for ever":
        time.sleep(3600)
    engine.send(READY)
    if options.fault == "hangs":
        time.sleep(3600)
    if options.fault == "garbage":
        engine.send_bytes(b"\x80\x05garbage")
        time.sleep(3600)
    speak(engine, gives_up=options.fault == "gives up")


def speak(engine: Connection, gives_up: bool) -> None:
    """Speak a few frames of each stream and end it, unless it is company; 'poison' ends the engine. One that
    gives up does so in the middle of the first stream, for good."""
    while True:
        if not engine.poll(0.1):
            engine.send(Heartbeat(1000))
            continue
        match engine.recv():
            case Submit(number, generation):
                engine.send(Trying(number))
                if "poison" in generation.turns[0].text.lower():
                    os.abort()
                engine.send(Started(number, generation.seed or 0))
                for _ in range(FRAMES):
                    engine.send(Step(((number, Frame(np.zeros(3200, np.float32), b"1234")),)))
                if gives_up:
                    # Whoever listens has the frames by then.
                    time.sleep(0.5)
                    engine.send(Dying("the device is on fire", hopeless=True))
                    sys.exit(4)
                if "company" not in generation.turns[0].text.lower():
                    engine.send(Step(((number, End(capped=False)),)))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2] / "app"))
    main()

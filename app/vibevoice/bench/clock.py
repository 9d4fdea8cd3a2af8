"""Time from frame to frame."""

import time
from statistics import median

import torch


def synchronise(device: torch.device) -> None:
    """Wait until the device has done all that it was told to."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class Clock:
    """Notes when each frame is there.

    The median frame stands for all: on a machine with other work a frame that was interrupted takes many
    times as long, and a mean would measure the others. A step on CUDA waits for the one before, so that its
    time is the device's.
    """

    def __init__(self, device: torch.device) -> None:
        synchronise(device)
        self._ticks = [time.perf_counter()]

    def tick(self) -> None:
        """One more frame."""
        self._ticks.append(time.perf_counter())

    def median_ms(self) -> float:
        """Milliseconds of a frame."""
        pairs = zip(self._ticks, self._ticks[1:], strict=False)
        return median((end - begin) * 1000 for begin, end in pairs)

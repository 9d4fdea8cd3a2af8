"""What a frame makes the host do: operators, launches, and where their time goes."""

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

# What the host calls to give a GPU work, by the beginning of its name.
LAUNCHES = ("cudaLaunch", "cuLaunch", "cudaGraphLaunch", "cudaMemcpyAsync", "cudaMemsetAsync")
TOP = 12
# Else it tells on stderr when it begins and ends.
os.environ.setdefault("KINETO_LOG_LEVEL", "99")


@dataclass(frozen=True)
class Counts:
    """Per frame of all streams together."""

    operators: float
    """Calls of PyTorch's operators, those within others included."""
    launches: float
    """Times that the host gives the GPU something to do; a graph is one. 0 on a CPU."""
    kernels: float
    """What the GPU then did: kernels, copies, fills. 0 on a CPU."""
    allocated: float
    """Bytes allocated on the device. A profiler that counts them counts what is given back at once, too."""
    top: tuple[tuple[str, float, float], ...]
    """Operators with the most time of their own on the host: name, calls, milliseconds."""


class Profile:
    """Counts what happens between start() and stop()."""

    def __init__(self, device: torch.device, memory: bool = False) -> None:
        activities = [ProfilerActivity.CPU]
        if device.type == "cuda":
            activities.append(ProfilerActivity.CUDA)
        self._memory = memory
        self._profile = profile(activities=activities, profile_memory=memory)

    def start(self) -> None:
        self._profile.start()

    def stop(self, frames: int) -> Counts:
        """What there was for each of `frames`. The device has to be idle."""
        self._profile.stop()
        events: list[Any] = list(self._profile.events() or ())
        host = Counter(event.name for event in events if event.device_type.name == "CPU")
        own = Counter[str]()
        for event in events:
            if event.name.startswith("aten::"):
                own[event.name] += event.self_cpu_time_total
        return Counts(
            operators=sum(n for name, n in host.items() if name.startswith("aten::")) / frames,
            launches=sum(n for name, n in host.items() if name.startswith(LAUNCHES)) / frames,
            kernels=sum(event.device_type.name == "CUDA" for event in events) / frames,
            allocated=self._allocated() / frames,
            top=tuple((name, host[name] / frames, us / 1000 / frames) for name, us in own.most_common(TOP)),
        )

    def _allocated(self) -> int:
        if not self._memory:
            return 0
        assert self._profile.profiler and self._profile.profiler.kineto_results
        events: list[Any] = self._profile.profiler.kineto_results.events()
        return sum(event.nbytes() for event in events if event.name() == "[memory]" and event.nbytes() > 0)


def counted(device: torch.device, step: Callable[[], object], frames: int, memory: bool = False) -> Counts:
    """Of `frames` calls of `step`."""
    counting = Profile(device, memory)
    counting.start()
    for _ in range(frames):
        step()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return counting.stop(frames)

"""What an engine is started with, and what it then has room for."""

import sys
from dataclasses import dataclass
from pathlib import Path

PROGRAM = (sys.executable, "-m", "vibevoice.engine")


@dataclass(frozen=True)
class Capacity:
    """What an engine has room for."""

    slots: int
    """Streams at once."""
    kv_tokens: int
    """Room for keys and values, in tokens; 0 before an engine was ready."""
    kv_free: int
    """What is left of that."""

    @property
    def kv_used(self) -> float:
        """The share that is reserved, 0 to 1."""
        return 1 - self.kv_free / self.kv_tokens if self.kv_tokens else 0.0


@dataclass(frozen=True)
class Setup:
    """What an engine process is started with."""

    model_dir: Path
    device: str = "auto"
    slot: int = 0
    lock_dir: Path | None = None
    streams: int = 8
    steps: int | None = None
    solver: str | None = None
    kv_bytes: int | None = None
    dtype: str | None = None
    """torch's name of the numbers' type, for tests; None: bfloat16 on a GPU, float32 on a CPU."""

    def command(self) -> list[str]:
        """The process's command line."""
        given = {f"--{name.replace('_', '-')}": value for name, value in vars(self).items()}
        pairs = ((name, str(value)) for name, value in given.items() if value is not None)
        return [*PROGRAM, *(part for pair in pairs for part in pair)]

"""What only a GPU can show: `make test-gpu`, on a machine that has one. Without one it fails, and says so."""

import os
from collections.abc import Iterator

import pytest

os.environ |= {"HF_HUB_OFFLINE": "1"}

import torch
from checkpoints import checkpoint, lively
from device import DEVICE

__all__ = ["checkpoint", "lively"]


def pytest_sessionstart() -> None:
    if DEVICE == "cuda" and not torch.cuda.is_available():
        pytest.exit("PyTorch finds no GPU here: see nvidia-smi, and `torch.version.cuda`", returncode=3)


@pytest.fixture(autouse=True)
def full_precision() -> Iterator[None]:
    """Products in float32 as they are written: TF32 has ten bits."""
    allowed = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32 = allowed
